#ifndef WEIR_REDIS_REPLY_READER_HPP
#define WEIR_REDIS_REPLY_READER_HPP

/// Bytes to replies: the parser of hiredis, with objects, limits and checks of our own.
///
/// What the parser alone would do with a hostile or broken server, and what stands here against it:
///  - it waits for ever, and buffers, for a string whose length is absurd: limit of bytes;
///  - it looks through all of an unfinished line again with every piece of it: limit of a line;
///  - it makes room for arrays of any announced length: limit of elements;
///  - it nests without end, and frees recursively: limit of depth;
///  - it takes any two bytes for the end of a string: they are checked;
///  - it knows types that this client never asked for: refused.
///
/// What comes of some bytes does not depend on the pieces in which they come.
/// Works with hiredis 0.14 and 1.x, whose functions differ in number and in types.

#include <weir/error.hpp>
#include <weir/redis/reply.hpp>

#include <hiredis/read.h>

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string_view>
#include <system_error>
#include <utility>

namespace weir::detail::redis {

/// What one reply may be at most. A reply beyond cannot be skipped: its connection has to go.
struct reply_limits {
    /// Bytes of strings, over all nested elements.
    std::size_t bytes = std::size_t{64} << 20;
    /// Elements of arrays, over all nested ones.
    std::size_t elements = std::size_t{1} << 18;
    /// Arrays within arrays.
    std::size_t depth = 6;
};

/// Not for use by two threads at once.
class reply_reader {
public:
    explicit reply_reader(const reply_limits& limits = {}) : limits_{limits} {
        if (reader_ == nullptr) {
            throw std::bad_alloc{};
        }
        reader_->privdata = this;
    }
    reply_reader(const reply_reader&) = delete;
    reply_reader& operator=(const reply_reader&) = delete;

    /// Takes the next bytes of the stream and calls `sink(reply&&)`, which must not throw, for each
    /// reply that is complete with them. After an error the reader is of no more use.
    template<class Sink>
    [[nodiscard]] std::error_code feed(std::string_view bytes, Sink&& sink) {
        // In small pieces, because the parser moves all that it has not parsed for each reply.
        constexpr std::size_t piece = std::size_t{16} << 10;
        while (!bytes.empty()) {
            const std::string_view next = bytes.substr(0, piece);
            bytes.remove_prefix(next.size());
            if (::redisReaderFeed(reader_.get(), next.data(), next.size()) != 0) {
                return failure();
            }
            if (const std::error_code error = drain(sink)) {
                return error;
            }
        }
        return {};
    }

private:
    using functions = ::redisReplyObjectFunctions;
    using task = ::redisReadTask;

    template<class Sink>
    [[nodiscard]] std::error_code drain(Sink& sink) {
        while (true) {
            void* done = nullptr;
            if (::redisReaderGetReply(reader_.get(), &done) != 0) {
                return failure();
            }
            if (done == nullptr) {
                return judge_unfinished();
            }
            bytes_ = 0;
            elements_ = 0;
            sink(std::exchange(root_, reply{}));
        }
    }

    /// What is buffered belongs to one element that is not complete. An error if it never will be one
    /// that is taken: nobody waits for its end.
    [[nodiscard]] std::error_code judge_unfinished() const noexcept {
        const std::string_view rest{reader_->buf + reader_->pos, reader_->len - reader_->pos};
        if (rest.empty()) {
            return {};
        }
        const int type = current_task(*reader_).type; // its byte is not part of `rest`
        if (type == REDIS_REPLY_STATUS || type == REDIS_REPLY_ERROR) {
            return rest.size() - 1 > longest_line ? make_error_code(errc::protocol_error)
                                                  : std::error_code{};
        }
        const std::size_t end = rest.substr(0, longest_number_line).find('\n');
        if (end == std::string_view::npos) {
            return rest.size() < longest_number_line ? std::error_code{}
                                                     : make_error_code(errc::protocol_error);
        }
        if (type != REDIS_REPLY_STRING || !rest.substr(0, end).ends_with('\r')) {
            return make_error_code(errc::protocol_error);
        }
        // The line is the length of a string, which the parser has read, too.
        std::uint64_t size = 0;
        std::from_chars(rest.data(), rest.data() + end, size);
        return size > limits_.bytes - bytes_ ? make_error_code(errc::reply_too_large)
                                             : std::error_code{};
    }

    /// The element that the parser is at. (It keeps its stack by value or by pointers.)
    template<class Reader>
    [[nodiscard]] static const task& current_task(const Reader& r) noexcept {
        if constexpr (requires { r.rstack; }) {
            return r.rstack[r.ridx];
        } else {
            return *r.task[r.ridx];
        }
    }

    [[nodiscard]] std::error_code failure() const noexcept {
        if (refusal_) {
            return refusal_;
        }
        return reader_->err == REDIS_ERR_OOM ? no_memory() : make_error_code(errc::protocol_error);
    }

    /// Not std::errc::not_enough_memory, which would say that nothing was applied: the server has
    /// answered.
    [[nodiscard]] static std::error_code no_memory() noexcept {
        return make_error_code(errc::reply_too_large);
    }

    // ---- what the parser calls ---------------------------------------------------------------

    [[nodiscard]] static reply_reader& self(const task* t) noexcept {
        return *static_cast<reply_reader*>(t->privdata);
    }

    /// Makes the parser stop.
    void* refuse(std::error_code why) noexcept {
        refusal_ = why;
        return nullptr;
    }

    /// Where the object of a task belongs: there is room for it since its array was begun.
    [[nodiscard]] reply& place_of(const task* t) noexcept {
        if (t->parent == nullptr) {
            return root_;
        }
        return static_cast<reply*>(t->parent->obj)->elements[static_cast<std::size_t>(t->idx)];
    }

    static void* make_string(const task* t, char* text, std::size_t size) noexcept {
        reply_reader& me = self(t);
        const reply::kind kind = kind_of_text(t->type);
        const bool is_string = kind == reply::kind::string;
        if (kind == reply::kind::nil || (!is_string && !is_proper_line({text, size}))) {
            return me.refuse(make_error_code(errc::protocol_error));
        }
        if (size > me.limits_.bytes - me.bytes_) {
            return me.refuse(make_error_code(errc::reply_too_large));
        }
        // The parser has seen that two more bytes are there, and not which.
        if (is_string && (text[size] != '\r' || text[size + 1] != '\n')) {
            return me.refuse(make_error_code(errc::protocol_error));
        }
        me.bytes_ += size;
        reply& made = me.place_of(t);
        try {
            made.text.assign(text, size);
        } catch (const std::bad_alloc&) {
            return me.refuse(no_memory());
        }
        made.type = kind;
        return &made;
    }

    /// nil: none that is known here.
    [[nodiscard]] static reply::kind kind_of_text(int type) noexcept {
        switch (type) {
        case REDIS_REPLY_STRING:
            return reply::kind::string;
        case REDIS_REPLY_STATUS:
            return reply::kind::status;
        case REDIS_REPLY_ERROR:
            return reply::kind::error;
        default:
            return reply::kind::nil;
        }
    }

    /// As the later versions of the parser have it.
    [[nodiscard]] static bool is_proper_line(std::string_view text) noexcept {
        return text.size() <= longest_line && text.find_first_of("\r\n") == std::string_view::npos;
    }

    template<class Count>
    static void* make_array(const task* t, Count count) noexcept {
        reply_reader& me = self(t);
        std::size_t depth = 1;
        for (const task* outer = t->parent; outer != nullptr; outer = outer->parent) {
            ++depth;
        }
        const auto wanted = static_cast<std::size_t>(count);
        if (t->type != REDIS_REPLY_ARRAY) {
            return me.refuse(make_error_code(errc::protocol_error));
        }
        if (depth > me.limits_.depth || wanted > me.limits_.elements - me.elements_) {
            return me.refuse(make_error_code(errc::reply_too_large));
        }
        me.elements_ += wanted;
        reply& made = me.place_of(t);
        try {
            made.elements.resize(wanted);
        } catch (const std::bad_alloc&) {
            return me.refuse(no_memory());
        }
        made.type = reply::kind::array;
        return &made;
    }

    static void* make_integer(const task* t, long long value) noexcept {
        reply& made = self(t).place_of(t);
        made.type = reply::kind::integer;
        made.integer = value;
        return &made;
    }

    /// A string or an array that is not there.
    static void* make_nil(const task* t) noexcept {
        if (t->type != REDIS_REPLY_STRING && t->type != REDIS_REPLY_ARRAY) {
            return self(t).refuse(make_error_code(errc::protocol_error));
        }
        return &self(t).place_of(t);
    }

    static void* refuse_double(const task* t, double, char*, std::size_t) noexcept {
        return self(t).refuse(make_error_code(errc::protocol_error));
    }
    static void* refuse_bool(const task* t, int) noexcept {
        return self(t).refuse(make_error_code(errc::protocol_error));
    }

    /// All objects are parts of `root_`.
    static void free_nothing(void*) noexcept {}

    template<class Count>
    static void set_array(functions& f, void* (*functions::*member)(const task*, Count)) {
        f.*member = make_array<Count>;
    }

    template<class Functions>
    [[nodiscard]] static Functions make_functions() {
        Functions f{};
        f.createString = make_string;
        set_array(f, &Functions::createArray); // int or std::size_t, by version
        f.createInteger = make_integer;
        f.createNil = make_nil;
        f.freeObject = free_nothing;
        if constexpr (requires { f.createDouble; }) {
            f.createDouble = refuse_double;
        }
        if constexpr (requires { f.createBool; }) {
            f.createBool = refuse_bool;
        }
        return f;
    }

    struct free_reader {
        void operator()(::redisReader* r) const noexcept { ::redisReaderFree(r); }
    };

    /// Of a status or an error. Servers have no longer ones.
    static constexpr std::size_t longest_line = std::size_t{16} << 10;
    /// A number and the end of its line: 20 bytes and two.
    static constexpr std::size_t longest_number_line = 22;

    const reply_limits limits_;
    functions functions_ = make_functions<functions>();
    std::unique_ptr<::redisReader, free_reader> reader_{
        ::redisReaderCreateWithFunctions(&functions_)};
    reply root_;
    std::size_t bytes_ = 0;
    std::size_t elements_ = 0;
    std::error_code refusal_;
};

} // namespace weir::detail::redis

#endif
