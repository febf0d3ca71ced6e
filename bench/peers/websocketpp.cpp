// websocketpp on asio with rapidjson: a callback for each request in a map by
// id, a Document for each answer, a Writer for each request.
//
// Its config takes a std::random_device's number for the mask of each frame.
// That is an instruction of the processor's, and where a hypervisor intercepts
// it, it costs more than all else together (23 us a frame on one machine). So
// this uses a config with a generator that is seeded once, and no locks, as who
// measures would.
#define _WEBSOCKETPP_NO_THREADING_
#define _WEBSOCKETPP_CPP11_STL_
#define ASIO_STANDALONE
#include "peer.h"

#include <functional>
#include <random>
#include <unordered_map>
#include <utility>

#include <websocketpp/client.hpp>
#include <websocketpp/config/asio_no_tls_client.hpp>

#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

namespace {

class Masks {
public:
  uint32_t operator()() {
    return static_cast<uint32_t>(engine_());
  }

private:
  std::mt19937 engine_{std::random_device()()};
};

struct Config : websocketpp::config::asio_client {
  using rng_type = Masks;
};

using Endpoint = websocketpp::client<Config>;
using Answer = std::function<void(const rapidjson::Value &)>;

class Client {
public:
  explicit Client(const peer_t &peer) : peer_(peer) {
    endpoint_.clear_access_channels(websocketpp::log::alevel::all);
    endpoint_.clear_error_channels(websocketpp::log::elevel::all);
    endpoint_.init_asio();
    endpoint_.set_tcp_post_init_handler(
        [this](websocketpp::connection_hdl hdl) {
          endpoint_.get_con_from_hdl(hdl)->get_raw_socket().set_option(
              asio::ip::tcp::no_delay(true));
        });
    endpoint_.set_open_handler([this](websocketpp::connection_hdl hdl) {
      connection_ = endpoint_.get_con_from_hdl(hdl);
      peer_start(&peer_);
      for (uint64_t i = 0; i < peer_.in_flight; i++)
        send_checked();
    });
    endpoint_.set_fail_handler(
        [](websocketpp::connection_hdl) { PEER_CHECK(!"connected"); });
    endpoint_.set_message_handler(
        [this](websocketpp::connection_hdl, Endpoint::message_ptr message) {
          take(message->get_payload());
        });
  }

  void run() {
    websocketpp::lib::error_code error;
    auto connection = endpoint_.get_connection(
        "ws://127.0.0.1:" + std::to_string(peer_.port) + "/", error);
    PEER_CHECK(!error);
    endpoint_.connect(connection);
    endpoint_.run();
    PEER_CHECK(done_);
  }

private:
  void request(uint64_t id, uint64_t x, Answer answer) {
    rapidjson::StringBuffer text;
    rapidjson::Writer<rapidjson::StringBuffer> writer(text);
    writer.StartObject();
    writer.Key("jsonrpc");
    writer.String("2.0");
    writer.Key("id");
    writer.Uint64(id);
    writer.Key("method");
    writer.String("echo");
    writer.Key("params");
    writer.StartObject();
    writer.Key("x");
    writer.Uint64(x);
    writer.EndObject();
    writer.EndObject();
    pending_.emplace(id, std::move(answer));
    PEER_CHECK(!connection_->send(text.GetString(), text.GetSize(),
                                  websocketpp::frame::opcode::text));
  }

  void take(const std::string &text) {
    rapidjson::Document answer;
    if (done_)
      return;
    answer.Parse(text.data(), text.size());
    PEER_CHECK(!answer.HasParseError());
    auto found = pending_.find(answer["id"].GetUint64());
    PEER_CHECK(found != pending_.end());
    Answer callback = std::move(found->second);
    pending_.erase(found);
    callback(answer["result"]);
  }

  void send_checked() {
    uint64_t id = next_++;
    uint64_t sent_ns = peer_now_ns();
    request(id, id, [this, id, sent_ns](const rapidjson::Value &result) {
      PEER_CHECK(result["x"].GetUint64() == id);
      if (peer_answered(&peer_, sent_ns, peer_now_ns())) {
        done_ = true;
        endpoint_.stop();
        return;
      }
      send_checked();
    });
  }

  peer_t peer_;
  Endpoint endpoint_;
  Endpoint::connection_ptr connection_;
  std::unordered_map<uint64_t, Answer> pending_;
  uint64_t next_ = 1;
  bool done_ = false;
};

} // namespace

int main(int argc, char **argv) {
  static peer_t peer;
  peer_init(&peer, "websocketpp", argc, argv);
  Client client(peer);
  client.run();
  return 0;
}
