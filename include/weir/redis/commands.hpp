#ifndef WEIR_REDIS_COMMANDS_HPP
#define WEIR_REDIS_COMMANDS_HPP

#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace weir::detail::redis {

/// The `order` of commands that come after all that have a number and were sent before.
inline constexpr std::uint64_t after_all = ~std::uint64_t{0};

/// A script that runs in the server.
struct script {
    std::string_view text;
    /// Its SHA-1, in lower-case hexadecimal.
    std::string_view digest;
    /// How many of its arguments are keys.
    std::size_t keys;
};

/// One or more commands that are written together, in the form in which they travel, and how their
/// replies have to be treated.
class commands {
public:
    /// Whether it does any harm to send them again after they may have been applied.
    bool harmless = false;
    /// Commands with one such number, other than 0, keep their order when one thread sends them one
    /// after the other, whether it waited for the replies or not. See `after_all`, too.
    std::uint64_t order = 0;

    /// Adds a command: strings, and integers in decimal.
    template<class... Parts>
    void add(const Parts&... parts) {
        begin(sizeof...(Parts));
        (part(parts), ...);
    }

    /// Makes this the call of a script, by its digest, with its keys and then the other arguments. A
    /// server that does not know the digest does nothing and answers NOSCRIPT; see `spell_out`.
    template<class... Parts>
    void call(const script& s, const Parts&... parts) {
        script_ = &s;
        add("EVALSHA", s.digest, s.keys, parts...);
    }

    /// The script that this calls by its digest, which the server may not know; or null.
    [[nodiscard]] const script* called_by_digest() const noexcept { return script_; }

    /// Puts the text of the script in the place of its digest. The server remembers it.
    void spell_out() {
        const auto beginning = [](std::string_view name, std::string_view body) {
            commands c;
            c.part(name);
            c.part(body);
            return c.bytes_;
        };
        const std::size_t after_count = bytes_.find('\n') + 1;
        bytes_.replace(after_count, beginning("EVALSHA", script_->digest).size(),
                       beginning("EVAL", script_->text));
        script_ = nullptr;
    }

    /// Begins a command of so many parts, each of which has to follow by `part`.
    void begin(std::size_t parts) {
        header('*', static_cast<std::int64_t>(parts));
        ++count_;
    }
    void part(std::string_view text) {
        header('$', static_cast<std::int64_t>(text.size()));
        bytes_ += text;
        bytes_ += "\r\n";
    }
    template<std::integral Number>
    void part(Number number) {
        char text[24];
        const auto end = std::to_chars(text, text + sizeof text, number).ptr;
        part(std::string_view{text, static_cast<std::size_t>(end - text)});
    }

    /// How many there are, and so how many replies come.
    [[nodiscard]] std::size_t count() const noexcept { return count_; }
    [[nodiscard]] std::string_view bytes() const noexcept { return bytes_; }
    void reserve(std::size_t bytes) { bytes_.reserve(bytes); }

private:
    void header(char type, std::int64_t number) {
        char text[24];
        text[0] = type;
        char* end = std::to_chars(text + 1, text + sizeof text - 2, number).ptr;
        *end++ = '\r';
        *end++ = '\n';
        bytes_.append(text, static_cast<std::size_t>(end - text));
    }

    std::string bytes_;
    std::size_t count_ = 0;
    const script* script_ = nullptr;
};

} // namespace weir::detail::redis

#endif
