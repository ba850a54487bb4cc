#ifndef WEIR_JSON_HPP
#define WEIR_JSON_HPP

/// Caches of any type that nlohmann's JSON library knows: standard containers, and types with
/// `to_json` and `from_json`, or one of its macros.
///
///     struct Product { std::string name; std::int64_t cents; };
///     NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Product, name, cents)
///
///     weir::cache<std::vector<Product>> lists{redis, "product_list", {.ttl = 5min}};
///
/// A type owns what it holds: a view, as a std::string_view in a struct, would point into text that is
/// gone when the value is used.
///
/// Link weir::json. Strings, numbers and truth values are stored as <weir/codec.hpp> says, with or
/// without this header.

#include <weir/codec.hpp>

#include <nlohmann/json.hpp>

#include <concepts>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

namespace weir {

namespace detail {

template<class Value>
concept class_or_enum = std::is_class_v<Value> || std::is_enum_v<Value>;

/// Not for JSON: std::string has its codec, and a view, which nlohmann would read, would point into
/// text that is gone.
template<class Value>
concept plain_text = std::same_as<Value, std::string> || std::same_as<Value, std::string_view>;

/// nlohmann converts Value both ways, and <weir/codec.hpp> does not.
template<class Value>
concept json_convertible = class_or_enum<Value> && !plain_text<Value> &&
                           requires(const Value& value, const nlohmann::json& json) {
    nlohmann::json(value);
    { json.template get<Value>() } -> std::same_as<Value>;
};

/// The deepest JSON that is read. Conversions are recursive, nlohmann's and most people's own, so
/// that deeper text, which anybody may have stored, could exhaust the stack.
inline constexpr int max_json_depth = 512;

/// Whether no bracket of `text` lies deeper than `most`. Where text is no JSON any more, a parser
/// stops, and the answer does not matter.
[[nodiscard]] constexpr bool json_nests_at_most(std::string_view text, int most) noexcept {
    int depth = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (in_string) {
            i += c == '\\' ? 1 : 0;
            in_string = c != '"';
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            if (++depth > most) {
                return false;
            }
        } else if (c == ']' || c == '}') {
            --depth;
        }
    }
    return true;
}

} // namespace detail

/// JSON as short as it goes, in UTF-8.
///
/// `encode` throws nlohmann::json::exception, and appends nothing, for strings that are not UTF-8:
/// no JSON can carry them. Numbers inside a value that are not finite become `null`, as nlohmann
/// writes them, and are not read back as numbers.
/// `decode` returns nothing for text that is not JSON, is another type, or is deeper than 512
/// levels; what a from_json throws of its own passes through.
template<detail::json_convertible Value>
struct codec<Value> {
    static void encode(const Value& value, std::string& out) {
        out += nlohmann::json(value).dump();
    }

    [[nodiscard]] static std::optional<Value> decode(std::string_view bytes) {
        // nlohmann's parser takes a NUL for the end of the text.
        if (bytes.find('\0') != std::string_view::npos ||
            !detail::json_nests_at_most(bytes, detail::max_json_depth)) {
            return std::nullopt;
        }
        constexpr bool throwing = false;
        const nlohmann::json json = nlohmann::json::parse(bytes, nullptr, throwing);
        if (json.is_discarded()) {
            return std::nullopt;
        }
        try {
            return json.template get<Value>();
        } catch (const nlohmann::json::exception&) {
            return std::nullopt;
        }
    }
};

} // namespace weir

#endif
