#ifndef WEIR_CODEC_HPP
#define WEIR_CODEC_HPP

/// `codec<Value>`: how a value is spelt in bytes, for backends that store bytes, as Redis does. In
/// memory values stay objects, and no codec is needed.

#include <weir/key.hpp>

#include <charconv>
#include <cmath>
#include <concepts>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

namespace weir {

namespace detail {

template<class>
inline constexpr bool there_is_a_codec = false;

/// Says in one sentence, and once for each Value, that there is no codec.
template<class Value>
struct missing_codec {
    static_assert(there_is_a_codec<Value>,
                  "weir: no codec for this Value: include <weir/json.hpp> (target weir::json) and "
                  "give the type a default constructor, to_json and from_json, or specialise "
                  "weir::codec<Value>");
};

} // namespace detail

/// The one customization point for the bytes of a value.
///
/// | Value          | bytes                                                                     |
/// |----------------|---------------------------------------------------------------------------|
/// | std::string    | as they are                                                               |
/// | bool           | `true` or `false`                                                         |
/// | integers       | decimal text; single characters have no codec, as they make no keys       |
/// | floating point | the shortest decimal text that reads back as the same number; or `NaN`, `Infinity`, `-Infinity` |
/// | other types    | JSON, once <weir/json.hpp> is included; until then a sentence at compile time |
///
/// All but strings are JSON as other languages write it (numbers that are not finite as Python
/// does). A subnormal long double may not be read back: the standard library refuses some. What is
/// included never changes the bytes of a type that has a codec.
///
/// For a type of one's own, or other bytes for it, specialise it where the type is defined, so that
/// every user of the type sees the same:
///
///     template<>
///     struct weir::codec<Picture> {
///         static void encode(const Picture& p, std::string& out) { out += p.png(); }
///         static std::optional<Picture> decode(std::string_view bytes) { return from_png(bytes); }
///     };
///
/// `encode` appends to `out`. `decode` returns nothing for bytes that are no such value, which
/// other programs may have stored; it may throw instead, with the same effect: the entry counts as
/// absent, and in stats(). An exception of `encode` reaches the caller of `put` and `add`; a
/// computed value that cannot be encoded is returned and not stored. Both are called from many
/// threads at once.
template<class Value>
struct codec {
    /// Only this template has it, which is for types without a codec.
    using missing = detail::missing_codec<Value>;

    static void encode(const Value&, std::string&) { static_cast<void>(sizeof(missing)); }
    static std::optional<Value> decode(std::string_view) {
        static_cast<void>(sizeof(missing));
        return std::nullopt;
    }
};

template<>
struct codec<std::string> {
    static void encode(const std::string& value, std::string& out) { out += value; }
    [[nodiscard]] static std::optional<std::string> decode(std::string_view bytes) {
        return std::string{bytes};
    }
};

template<>
struct codec<bool> {
    static void encode(bool value, std::string& out) { out += value ? "true" : "false"; }
    [[nodiscard]] static std::optional<bool> decode(std::string_view bytes) {
        if (bytes == "true") {
            return true;
        }
        return bytes == "false" ? std::optional{false} : std::nullopt;
    }
};

namespace detail {

/// Room for the shortest text of every number, long double included.
inline constexpr int max_number_size = 64;

template<class Number>
void append_number(std::string& out, Number value) {
    char text[max_number_size];
    out.append(text, std::to_chars(text, text + max_number_size, value).ptr);
}

/// The whole of `text` as a number.
template<class Number>
[[nodiscard]] std::optional<Number> parse_number(std::string_view text) {
    Number value{};
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    return error == std::errc{} && stop == end ? std::optional{value} : std::nullopt;
}

} // namespace detail

template<detail::key_integer Integer>
struct codec<Integer> {
    static void encode(Integer value, std::string& out) { detail::append_number(out, value); }
    [[nodiscard]] static std::optional<Integer> decode(std::string_view bytes) {
        return detail::parse_number<Integer>(bytes);
    }
};

template<std::floating_point Float>
struct codec<Float> {
    static void encode(Float value, std::string& out) {
        if (std::isnan(value)) {
            out += "NaN";
        } else if (std::isinf(value)) {
            out += value < 0 ? "-Infinity" : "Infinity";
        } else {
            detail::append_number(out, value);
        }
    }
    [[nodiscard]] static std::optional<Float> decode(std::string_view bytes) {
        return detail::parse_number<Float>(bytes);
    }
};

namespace detail {

template<class Value>
concept without_codec = requires {
    typename codec<Value>::missing;
};

template<class Value>
concept encodes = requires(const Value& value, std::string& out) {
    codec<Value>::encode(value, out);
};

template<class Value>
concept decodes = requires(std::string_view bytes) {
    { codec<Value>::decode(bytes) } -> std::same_as<std::optional<Value>>;
};

} // namespace detail

/// There is a codec for Value. The answer must not change within a program: include <weir/json.hpp>
/// before the first question.
template<class Value>
concept has_codec =
    !detail::without_codec<Value> && detail::encodes<Value> && detail::decodes<Value>;

/// Compiles if there is a codec for Value; otherwise the compiler prints one sentence for each
/// thing that is missing.
template<class Value>
consteval bool explain_codec() {
    if constexpr (detail::without_codec<Value>) {
        return sizeof(typename codec<Value>::missing) != 0;
    } else {
        static_assert(
            detail::encodes<Value>,
            "weir: missing or wrong `static void weir::codec<Value>::encode(const Value&, "
            "std::string& out)`");
        static_assert(detail::decodes<Value>,
                      "weir: missing or wrong `static std::optional<Value> "
                      "weir::codec<Value>::decode(std::string_view bytes)`");
        return true;
    }
}

} // namespace weir

#endif
