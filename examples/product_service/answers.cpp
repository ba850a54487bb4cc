#include "answers.hpp"

#include <weir/http.hpp>

#include <string>

namespace shop {

void send(httplib::Response& response, int status, const json& body) {
    response.status = status;
    response.set_content(to_text(body), "application/json");
}

void send_problem(httplib::Response& response, int status, std::string_view title,
                  std::string_view detail) {
    response.status = status;
    response.set_content(
        to_text(
            {{"type", "about:blank"}, {"title", title}, {"status", status}, {"detail", detail}}),
        std::string{weir::problem_content_type});
}

} // namespace shop
