#ifndef UVOW_H
#define UVOW_H

/**
 * @file uvow.h
 * Futures for libuv, and requests over WebSockets on top of them.
 */

#include "uvow/base.h"
#include "uvow/error.h"
#include "uvow/value.h"
#include "uvow/future.h"
#include "uvow/combine.h"
#include "uvow/stream.h"
#include "uvow/work.h"
#include "uvow/scope.h"
#include "uvow/channel.h"
#include "uvow/loop.h"
#include "uvow/fiber.h"
#include "uvow/thread.h"
#include "uvow/json.h"
#include "uvow/protocol.h"
#include "uvow/deflate.h"
#include "uvow/tls.h"
#include "uvow/websocket.h"
#include "uvow/methods.h"
#include "uvow/group.h"
#include "uvow/peer.h"
#include "uvow/subscription.h"
#include "uvow/server.h"

#endif
