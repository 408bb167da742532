/// A web server on this machine with one file and bad habits, for tests of downloads.
#pragma once

#include <chrono>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace plumb::test {

class HttpServer {
 public:
  struct Habits {
    std::string content = {};
    bool honors_ranges = true;
    int64_t cut_after = -1;  // body bytes after which the connection is closed; -1: none
    int status = 200;
    std::string redirect = {};           // where it says the file is
    std::chrono::milliseconds pause{0};  // before each byte of the answer's body
    enum {
      answers,
      says_no_word,
      no_body
    } after_request = answers;  // then it waits for the client to go away
    int64_t shift = 0;          // a range begins so many bytes later than asked for
  };

  explicit HttpServer(Habits habits) : habits_(std::move(habits)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    ::bind(listener_, reinterpret_cast<sockaddr*>(&address), length);
    ::listen(listener_, 8);
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  ~HttpServer() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/file"; }
  void change(Habits habits) {
    const std::lock_guard lock(mutex_);
    habits_ = std::move(habits);
  }
  /// The requests so far, headers and all.
  std::vector<std::string> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  void serve() {
    for (;;) {
      const int connection = ::accept(listener_, nullptr, nullptr);
      if (connection < 0) return;
      answer(connection);
      ::close(connection);
    }
  }

  void answer(int connection) {
    std::string request;
    char buffer[4096];
    while (request.find("\r\n\r\n") == std::string::npos) {
      const ssize_t read = ::recv(connection, buffer, sizeof buffer, 0);
      if (read <= 0) return;
      request.append(buffer, static_cast<size_t>(read));
    }
    Habits habits;
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(request);
      habits = habits_;
    }
    const std::string reply = response(request, habits);
    const size_t head = reply.find("\r\n\r\n") + 4;
    const auto send = [&](size_t begin, size_t count) {
      return ::send(connection, reply.data() + begin, count, MSG_NOSIGNAL) > 0;
    };
    if (habits.after_request == Habits::no_body) send(0, head);
    if (habits.after_request != Habits::answers) {
      while (::recv(connection, buffer, sizeof buffer, 0) > 0) {
      }
      return;
    }
    if (habits.pause.count() == 0) {
      send(0, reply.size());
      return;
    }
    send(0, head);
    for (size_t i = head; i < reply.size() && send(i, 1); ++i) std::this_thread::sleep_for(habits.pause);
  }

  static std::string response(const std::string& request, const Habits& habits) {
    const std::string close = "Connection: close\r\n";
    if (!habits.redirect.empty())
      return "HTTP/1.1 302 There\r\nContent-Length: 0\r\nLocation: " + habits.redirect + "\r\n" + close +
             "\r\n";
    if (habits.status != 200)
      return "HTTP/1.1 " + std::to_string(habits.status) + " No\r\nContent-Length: 0\r\n" + close + "\r\n";
    const std::string& all = habits.content;
    const size_t range = request.find("Range: bytes=");
    size_t begin = 0;
    std::string head = "HTTP/1.1 200 OK\r\n";
    if (habits.honors_ranges && range != std::string::npos) {
      begin = std::stoul(request.substr(range + 13)) + static_cast<size_t>(habits.shift);
      if (begin >= all.size()) return "HTTP/1.1 416 No\r\nContent-Length: 0\r\n" + close + "\r\n";
      head = "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes " + std::to_string(begin) + "-" +
             std::to_string(all.size() - 1) + "/" + std::to_string(all.size()) + "\r\n";
    }
    std::string body = all.substr(begin);
    head += "Content-Length: " + std::to_string(body.size()) + "\r\n" + close + "\r\n";
    if (habits.cut_after >= 0 && static_cast<size_t>(habits.cut_after) < body.size())
      body.resize(static_cast<size_t>(habits.cut_after));
    return head + body;
  }

  mutable std::mutex mutex_;
  Habits habits_;
  std::vector<std::string> requests_;
  int listener_ = -1;
  int port_ = 0;
  std::thread thread_;
};

}  // namespace plumb::test
