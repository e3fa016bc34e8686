// The middleware in a synchronous Boost.Beast server.
#include "millrace/app_metrics/beast.h"

#include <boost/asio.hpp>
#include <boost/beast/core.hpp>

#include "tests/unit/app_metrics/support.h"

namespace {

namespace http = boost::beast::http;
using boost::asio::ip::tcp;
using millrace::app_metrics::AnswerOwn;
using millrace::app_metrics::BeastAnswer;
using millrace::app_metrics::BeastRequest;

void ServeOne(millrace::AppMetrics& metrics, tcp::socket socket) {
  boost::beast::flat_buffer buffer;
  http::request<http::string_body> request;
  boost::system::error_code error;
  http::read(socket, buffer, request, error);
  if (error) return;
  BeastRequest measured(metrics, request, "127.0.0.1");
  auto response = AnswerOwn(metrics, request);
  if (!response) {
    measured.route("/users/:id");
    response.emplace(http::status::ok, request.version());
    response->body() = "hello";
    response->prepare_payload();
  }
  measured.decorate(*response);
  response->keep_alive(false);
  http::write(socket, *response, error);
  measured.finish(*response);
}

TEST_CASE("Boost.Beast: RED metrics, ids, own pages") {
  millrace::AppMetrics metrics(app_metrics_test::QuietOptions());
  boost::asio::io_context io;
  tcp::acceptor acceptor(io, {boost::asio::ip::make_address("127.0.0.1"), 0});
  const int port = acceptor.local_endpoint().port();
  std::thread server([&] {
    for (int i = 0; i < 3; ++i) ServeOne(metrics, acceptor.accept());
  });
  const std::string reply =
      app_metrics_test::Raw(port, "GET /users/7 HTTP/1.1\r\nHost: x\r\nX-Request-ID: abc\r\n\r\n");
  const std::string health = app_metrics_test::Raw(port, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string page = app_metrics_test::Raw(port, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
  server.join();
  CHECK(reply.find("X-Request-ID: abc") != std::string::npos);
  CHECK(reply.find("traceparent: 00-") != std::string::npos);
  CHECK(health.find("{\"status\":\"ok\"") != std::string::npos);
  CHECK(
      page.find(R"(http_server_requests_total{method="GET",route="/users/:id",status="200"} 1)") !=
      std::string::npos);
}

}  // namespace
