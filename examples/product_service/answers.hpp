#ifndef PRODUCT_SERVICE_ANSWERS_HPP
#define PRODUCT_SERVICE_ANSWERS_HPP

#include "json.hpp"

#include <httplib.h>

#include <string_view>

namespace shop {

void send(httplib::Response& response, int status, const json& body);

/// Sends a problem document (RFC 9457).
void send_problem(httplib::Response& response, int status, std::string_view title,
                  std::string_view detail);

} // namespace shop

#endif
