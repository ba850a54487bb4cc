#ifndef WEIR_REDIS_PREPARATION_HPP
#define WEIR_REDIS_PREPARATION_HPP

/// What has to be found out before a connection can be made, and may take its time: the addresses of
/// a name, and the credentials of the day. Neither a caller nor the I/O thread waits for it.

#include <weir/redis/address.hpp>
#include <weir/redis/socket.hpp>
#include <weir/redis/wakeup.hpp>

#include <cstdint>
#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <netdb.h>
#include <new>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace weir::detail::redis {

/// A user and the password, as AUTH takes them; without a user, the default one.
struct login {
    std::string user;
    std::string password;
};

/// All addresses of a host, or why there is none.
struct resolution {
    std::vector<endpoint> endpoints;
    std::string failure;
};

/// @param numeric  the host is an address, or else nothing is found; never waits
[[nodiscard]] inline resolution resolve(const std::string& host, std::uint16_t port, bool numeric) {
    ::addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV | (numeric ? AI_NUMERICHOST : AI_ADDRCONFIG);
    ::addrinfo* found = nullptr;
    resolution result;
    if (const int error = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
        error != 0) {
        result.failure = "cannot resolve \"" + host + "\": " + ::gai_strerror(error);
        return result;
    }
    const std::unique_ptr<::addrinfo, void (*)(::addrinfo*)> owner{found, ::freeaddrinfo};
    for (const ::addrinfo* a = found; a != nullptr; a = a->ai_next) {
        endpoint e;
        std::memcpy(&e.address, a->ai_addr, a->ai_addrlen);
        e.size = a->ai_addrlen;
        result.endpoints.push_back(e);
    }
    return result;
}

struct prepared {
    resolution where;
    /// None: nobody must connect, as the server might take him for its default user.
    std::optional<login> who;
    /// Why there is none, where there was memory to say so.
    std::string failure;
};

/// One preparation at a time, on a thread of its own where it may wait. That thread is left alone when
/// the object goes: nobody can stop a resolver.
class preparation {
public:
    using login_source = std::function<login()>;

    /// @param done  notified when there is a result
    preparation(redis_address to, login_source source, std::shared_ptr<const wakeup> done)
        : to_{std::move(to)}, source_{std::move(source)}, done_{std::move(done)} {}

    /// Begins, unless it is going on already. A result that nobody took is out of date.
    void begin() {
        if (is_going_on()) {
            return;
        }
        auto begun = std::make_shared<result>();
        if (source_ || !try_at_once(*begun)) {
            try {
                std::thread{prepare_for, begun, to_, source_, done_}.detach();
            } catch (const std::system_error& e) {
                begun->value = without_thread(e.what());
            }
        }
        running_ = std::move(begun);
    }

    /// What can be done without the result, which does not come: go to the addresses that were found
    /// the last time. Credentials of another day are no credentials.
    [[nodiscard]] std::optional<prepared> take_last() const {
        if (source_ || last_good_.empty()) {
            return std::nullopt;
        }
        return prepared{{last_good_, {}}, login{to_.user, to_.password}, {}};
    }

    /// The result, once. A failure to resolve shows the addresses that were found the last time.
    [[nodiscard]] std::optional<prepared> take() {
        if (running_ == nullptr) {
            return std::nullopt;
        }
        std::optional<prepared> p;
        {
            const std::lock_guard lock{running_->mutex};
            p = std::exchange(running_->value, std::nullopt);
        }
        if (p) {
            running_ = nullptr;
            if (p->where.endpoints.empty()) {
                p->where.endpoints = last_good_;
            } else {
                last_good_ = p->where.endpoints;
            }
        }
        return p;
    }

private:
    struct result {
        std::mutex mutex;
        std::optional<prepared> value;
    };

    [[nodiscard]] bool is_going_on() const {
        if (running_ == nullptr) {
            return false;
        }
        const std::lock_guard lock{running_->mutex};
        return !running_->value;
    }

    [[nodiscard]] bool try_at_once(result& r) const {
        resolution where = to_.path.empty() ? resolve(to_.host, to_.port, true)
                                            : resolution{{endpoint::unix_path(to_.path)}, {}};
        if (where.endpoints.empty()) {
            return false;
        }
        r.value = prepared{std::move(where), login{to_.user, to_.password}, {}};
        return true;
    }

    [[nodiscard]] prepared without_thread(const char* why) const {
        if (source_) {
            return {{}, std::nullopt, std::string{"no credentials: "} + why};
        }
        return {{{}, why}, login{to_.user, to_.password}, {}};
    }

    /// On a thread of its own.
    static void prepare_for(const std::shared_ptr<result>& r, const redis_address& to,
                            const login_source& source,
                            const std::shared_ptr<const wakeup>& done) noexcept {
        prepared p;
        try {
            p = prepare(to, source);
        } catch (const std::bad_alloc&) {
            // There is no login then, and no text that says why.
        }
        {
            const std::lock_guard lock{r->mutex};
            r->value = std::move(p);
        }
        done->notify();
    }

    [[nodiscard]] static prepared prepare(const redis_address& to, const login_source& source) {
        prepared p;
        try {
            p.who = source ? source() : login{to.user, to.password};
        } catch (const std::exception& e) {
            p.failure = std::string{"no credentials: "} + e.what();
            return p;
        } catch (...) {
            p.failure = "no credentials: the function for them threw";
            return p;
        }
        p.where = to.path.empty() ? resolve(to.host, to.port, false)
                                  : resolution{{endpoint::unix_path(to.path)}, {}};
        return p;
    }

    const redis_address to_;
    const login_source source_;
    const std::shared_ptr<const wakeup> done_;
    std::shared_ptr<result> running_;
    std::vector<endpoint> last_good_;
};

} // namespace weir::detail::redis

#endif
