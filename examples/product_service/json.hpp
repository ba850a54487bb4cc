#ifndef PRODUCT_SERVICE_JSON_HPP
#define PRODUCT_SERVICE_JSON_HPP

/// The shop's types as JSON: how they are written, and how strictly they are read.

#include "model.hpp"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace shop {

/// Keeps members in the order in which they were written.
using json = nlohmann::ordered_json;

void to_json(json& out, const product& value);
void to_json(json& out, const product_row& value);
void to_json(json& out, const product_page& value);
void to_json(json& out, const category_sales& value);
void to_json(json& out, const month_sales& value);
void to_json(json& out, const bestseller& value);
void to_json(json& out, const product_pair& value);
void to_json(json& out, const sales_report& value);

/// Never throws for bytes that are not UTF-8: they become U+FFFD.
[[nodiscard]] std::string to_text(const json& value);

/// Reads the body of a request: an object with exactly the known members, each of its type and in
/// its range. Throws bad_request, saying what is wrong and what was expected.
[[nodiscard]] product_draft read_product(std::string_view body);
/// Reads `{"quantity": n}`, 1 <= n <= 99.
[[nodiscard]] std::int64_t read_quantity(std::string_view body);

} // namespace shop

#endif
