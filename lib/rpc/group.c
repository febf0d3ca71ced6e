/*
 * Groups: peers that are told the same.
 *
 * 1. A membership is in two lists, its group's and its peer's; whichever ends
 *    first takes it out of both. So neither owns the other.
 * 2. A walk is over a copy that holds its peers: its callback may do anything.
 */
#include "group_names.h"
#include "future/fail.h"
#include "peer.h"
#include "wire/deflate.h"

typedef struct member {
  uvow__list_t link;
  uvow__list_t peer_link;
  uvow_group_t *group;
  uvow_peer_t *peer;
} member_t;

uvow_group_t *uvow_group_new(uvow_loop_t *loop) {
  if (!loop || loop->rt.closed)
    return NULL;
  uvow_group_t *group =
      (uvow_group_t *)uvow__calloc(uvow__loop_mem(loop), sizeof(*group));
  if (!group)
    return NULL;
  group->loop = loop;
  uvow__list_init(&group->members);
  uvow__list_init(&group->idle);
  loop->rt.pins++;
  return group;
}

static void leave(member_t *member) {
  uvow_group_t *group = member->group;
  uvow__list_remove(&member->link);
  uvow__list_remove(&member->peer_link);
  group->count--;
  uvow__free(uvow__loop_mem(group->loop), member);
  if (group->count == 0 && group->names)
    uvow__group_names_idle(group);
}

void uvow__groups_leave(uvow_peer_t *peer) {
  while (!uvow__list_empty(&peer->kin.groups))
    leave(UVOW__CONTAINER(peer->kin.groups.next, member_t, peer_link));
}

/* A peer is in few groups, a group may have many peers. */
static member_t *find(const uvow_group_t *group, const uvow_peer_t *peer) {
  for (uvow__list_t *at = peer->kin.groups.next; at != &peer->kin.groups;
       at = at->next) {
    member_t *member = UVOW__CONTAINER(at, member_t, peer_link);
    if (member->group == group)
      return member;
  }
  return NULL;
}

/* Notes what is wrong with one of the two. Returns UVOW_EINVAL. */
static int refuse(const uvow_group_t *group, const uvow_peer_t *peer,
                  const char *fault) {
  uvow_loop_t *loop = group ? group->loop : peer ? peer->loop : NULL;
  return uvow__fail(loop, UVOW_EINVAL, group ? "peer" : "group",
                    group && peer ? fault : uvow__fail_null);
}

int uvow_group_add(uvow_group_t *group, uvow_peer_t *peer) {
  if (!group || !peer || peer->kin.within || peer->loop != group->loop)
    return refuse(group, peer,
                  "must be of the group's loop, and within no other");
  if (peer->life.state == UVOW_PEER_CLOSED)
    return UVOW_ECLOSED;
  if (find(group, peer))
    return 0;
  member_t *member =
      (member_t *)uvow__calloc(uvow__loop_mem(group->loop), sizeof(*member));
  if (!member)
    return UVOW_ENOMEM;
  member->group = group;
  member->peer = peer;
  uvow__list_append(&group->members, &member->link);
  uvow__list_append(&peer->kin.groups, &member->peer_link);
  group->count++;
  return 0;
}

int uvow_group_remove(uvow_group_t *group, uvow_peer_t *peer) {
  member_t *member = group && peer ? find(group, peer) : NULL;
  if (!member)
    return refuse(group, peer, "isn't in the group");
  leave(member);
  return 0;
}

/* The message as a peer's protocol writes it. */
typedef struct written {
  const uvow_protocol_t *protocol; /* NULL: nothing is written yet */
  uvow__op_kind_t kind;
  int rc;
  uvow__buf_t text;
  uvow__packed_t packed; /* the same, compressed */
} written_t;

static int write_for(written_t *written, const uvow_peer_t *peer,
                     const uvow__op_t *op) {
  const uvow_protocol_t *protocol = peer->session.callee.protocol;
  uvow__op_t own = *op;
  own.kind = uvow__peer_tells(peer);
  if (written->protocol == protocol && written->kind == own.kind)
    return written->rc;
  uvow__buf_clear(&written->text, UVOW__READ_SIZE);
  uvow__packed_done(&written->packed);
  written->protocol = protocol;
  written->kind = own.kind;
  written->rc = uvow__protocol_encode(protocol, &own, &written->text);
  return written->rc;
}

/* Through what waits for a peer that we connect to. Another one that can't take
 * it is ended. */
static int send_to(uvow_peer_t *peer, written_t *written) {
  uvow__splice_t text = {{NULL, 0}, {NULL, 0}, 0, &written->packed};
  text.text.ptr = (const char *)uvow__buf_front(&written->text);
  text.text.len = uvow__buf_size(&written->text);
  if (peer->outbox && !peer->life.closing) {
    uvow__callee_t *callee = &peer->session.callee;
    int rc = uvow__outbox_send_text(peer, NULL, text.text);
    if (rc != UVOW_EOVERLOAD || peer->link)
      return rc;
    callee->hooks->on_failed(callee, rc);
  }
  if (peer->outbox)
    return 0;
  if (peer->life.state == UVOW_PEER_OPEN)
    uvow__callee_send_text(&peer->session.callee, &text);
  return 0;
}

/* A codec writes for one connection. */
static int tell_coded(uvow_peer_t *peer, const uvow__op_t *op) {
  uvow__op_t own = *op;
  int rc = 0;
  own.kind = uvow__peer_tells(peer);
  if (peer->outbox && !peer->life.closing)
    rc = uvow__outbox_transmit(peer, &own, NULL);
  else if (peer->life.state == UVOW_PEER_OPEN)
    rc = uvow__callee_send(&peer->session.callee, &own);
  return rc == UVOW_ECLOSED ? 0 : rc;
}

static int tell_one(uvow_peer_t *peer, const uvow__op_t *op,
                    written_t *written) {
  if (uvow__dialect_is_coded(&peer->session.callee.dialect))
    return tell_coded(peer, op);
  int rc = write_for(written, peer, op);
  return rc ? rc : send_to(peer, written);
}

/* Returns the first error, but tells all that can be told. */
static int tell_all(uvow_group_t *group, const uvow__op_t *op) {
  written_t written = {0};
  int rc = 0;
  uvow__buf_init(&written.text, uvow__loop_mem(group->loop), SIZE_MAX);
  for (uvow__list_t *at = group->members.next; at != &group->members;
       at = at->next) {
    int failed =
        tell_one(UVOW__CONTAINER(at, member_t, link)->peer, op, &written);
    rc = rc ? rc : failed;
  }
  uvow__buf_done(&written.text);
  uvow__packed_done(&written.packed);
  return rc;
}

static int notify(uvow_group_t *group, const char *method,
                  uvow__slice_t params) {
  uvow__op_t op = {0};
  op.method = (uvow__slice_t){method, strlen(method)};
  op.params = params;
  return tell_all(group, &op);
}

int uvow_group_notify(uvow_group_t *group, const char *method,
                      uvow_value_t params) {
  uvow__slice_t text = {NULL, 0};
  int rc = group && method ? 0
                           : uvow__fail(group ? group->loop : NULL, UVOW_EINVAL,
                                        "method", uvow__fail_null);
  if (rc == 0)
    rc = uvow__params_text(group->loop, &params, &text);
  if (rc == 0)
    rc = notify(group, method, text);
  if (group)
    uvow__params_done(group->loop, &params);
  else
    uvow_value_clear(&params);
  return rc;
}

int uvow_group_notifyf(uvow_group_t *group, const char *method,
                       const char *format, ...) {
  uvow_loop_t *loop = group ? group->loop : NULL;
  uvow__slice_t text;
  va_list args;
  va_start(args, format);
  int rc = uvow__params_format(loop, format, args, &text);
  va_end(args);
  if (!group)
    return UVOW_EINVAL;
  if (rc == 0)
    rc = method ? notify(group, method, text)
                : uvow__fail(loop, UVOW_EINVAL, "method", uvow__fail_null);
  uvow__buf_clear(&loop->params, UVOW__READ_SIZE);
  return rc;
}

size_t uvow_group_walk(uvow_group_t *group, uvow_group_cb cb, void *data) {
  size_t count = group ? group->count : 0;
  size_t size;
  size_t n = 0;
  if (!cb || count == 0 || uvow__size_mul(count, sizeof(uvow_peer_t *), &size))
    return count;
  uvow_loop_t *loop = group->loop;
  uvow_peer_t **peers =
      (uvow_peer_t **)uvow__malloc(uvow__loop_mem(loop), size);
  if (!peers)
    return 0;
  loop->rt.pins++; /* a callback may close it */
  for (uvow__list_t *at = group->members.next; at != &group->members;
       at = at->next)
    peers[n++] = uvow_peer_ref(UVOW__CONTAINER(at, member_t, link)->peer);
  for (size_t i = 0; i < n; i++) {
    cb(peers[i], data);
    uvow_peer_unref(peers[i]);
  }
  uvow__free(uvow__loop_mem(loop), peers);
  uvow__loop_unpin(loop);
  return count;
}

void uvow__group_end(uvow_group_t *group) {
  uvow_loop_t *loop = group->loop;
  while (!uvow__list_empty(&group->members))
    leave(UVOW__CONTAINER(group->members.next, member_t, link));
  uvow__free(uvow__loop_mem(loop), group->name);
  uvow__free(uvow__loop_mem(loop), group);
  uvow__loop_unpin(loop);
}

void uvow_group_free(uvow_group_t *group) {
  if (group && !group->is_lent)
    uvow__group_end(group);
}
