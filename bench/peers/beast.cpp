// Boost.Beast on Boost.Asio with rapidjson: a callback for each request in a
// map by id, a Document for each answer, a Writer for each request.
//
// Beast allows one write at a time: requests that are made meanwhile wait in a
// queue, as its documentation has it. Nothing is locked, one thread runs.
#define BOOST_ASIO_DISABLE_THREADS
#include "peer.h"

#include <deque>
#include <functional>
#include <string>
#include <unordered_map>
#include <utility>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/websocket.hpp>

#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

namespace {

namespace beast = boost::beast;
namespace asio = boost::asio;
using Answer = std::function<void(const rapidjson::Value &)>;
using Error = beast::error_code;

class Client {
public:
  explicit Client(const peer_t &peer) : peer_(peer), socket_(context_) {
  }

  void run() {
    auto &tcp = socket_.next_layer();
    tcp.connect({asio::ip::address_v4::loopback(),
                 static_cast<unsigned short>(peer_.port)});
    tcp.set_option(asio::ip::tcp::no_delay(true));
    socket_.handshake("127.0.0.1:" + std::to_string(peer_.port), "/");
    socket_.text(true);
    peer_start(&peer_);
    for (uint64_t i = 0; i < peer_.in_flight; i++)
      send_checked();
    read();
    context_.run();
    PEER_CHECK(done_);
  }

private:
  void read() {
    socket_.async_read(in_, [this](Error error, std::size_t) {
      PEER_CHECK(!error);
      take();
      in_.clear();
      if (!done_)
        read();
    });
  }

  void write() {
    socket_.async_write(asio::buffer(out_.front()),
                        [this](Error error, std::size_t) {
                          PEER_CHECK(!error);
                          out_.pop_front();
                          if (!out_.empty() && !done_)
                            write();
                        });
  }

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
    out_.emplace_back(text.GetString(), text.GetSize());
    if (out_.size() == 1)
      write();
  }

  void take() {
    rapidjson::Document answer;
    answer.Parse(static_cast<const char *>(in_.data().data()), in_.size());
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
        context_.stop();
        return;
      }
      send_checked();
    });
  }

  peer_t peer_;
  asio::io_context context_{1};
  beast::websocket::stream<asio::ip::tcp::socket> socket_;
  beast::flat_buffer in_;
  std::deque<std::string> out_;
  std::unordered_map<uint64_t, Answer> pending_;
  uint64_t next_ = 1;
  bool done_ = false;
};

} // namespace

int main(int argc, char **argv) {
  static peer_t peer;
  peer_init(&peer, "beast", argc, argv);
  Client client(peer);
  client.run();
  return 0;
}
