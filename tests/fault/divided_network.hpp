#ifndef WEIR_TESTS_FAULT_DIVIDED_NETWORK_HPP
#define WEIR_TESTS_FAULT_DIVIDED_NETWORK_HPP

/// Two networks with a cable between them that can be pulled out: packets are lost then, and neither
/// side hears that the other is gone. Nobody else uses these networks, so all ports are free.
///
///     divided_network network;
///     network.at_the_server([&] { ... });        // listens at divided_network::server_address
///     network.at_the_client([&] { ... network.pull_out(); ... network.plug_in(); ... });

#include "support/child_process.hpp"
#include "support/file_descriptor.hpp"
#include "support/temporary_directory.hpp"

#include <cerrno>
#include <chrono>
#include <exception>
#include <fcntl.h>
#include <functional>
#include <sched.h>
#include <stdexcept>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

namespace weir::tests {

class divided_network {
public:
    static constexpr const char* server_address = "10.9.0.2";

    /// Whether this process may make networks: root may, but not in most containers.
    [[nodiscard]] static bool permitted() {
        bool may = false;
        in_thread([&may] { may = ::unshare(CLONE_NEWNET) == 0 || errno != EPERM; });
        return may;
    }

    /// Throws std::system_error where no network can be made, and std::runtime_error without ip(8)
    /// and nsenter(1).
    divided_network() {
        ip(server_, {"link", "set", "lo", "up"});
        ip(client_, {"link", "set", "lo", "up"});
        ip(client_, {"link", "add", "client", "type", "veth", "peer", "name", "server", "netns",
                     name(server_)});
        ip(client_, {"address", "add", "10.9.0.1/24", "dev", "client"});
        ip(client_, {"link", "set", "client", "up"});
        ip(server_, {"address", "add", std::string{server_address} + "/24", "dev", "server"});
        plug_in();
    }

    void plug_in() const { ip(server_, {"link", "set", "server", "up"}); }
    void pull_out() const { ip(server_, {"link", "set", "server", "down"}); }

    /// Runs `work` on a thread of its own; threads that are made there are in the same network.
    void at_the_server(const std::function<void()>& work) const { in(server_, work); }
    void at_the_client(const std::function<void()>& work) const { in(client_, work); }

    /// Command lines for processes at the server.
    [[nodiscard]] std::vector<std::string> there(std::vector<std::string> command) const {
        return in(server_, std::move(command));
    }

private:
    static void in_thread(const std::function<void()>& work) {
        std::exception_ptr failure;
        std::thread{[&] {
            try {
                work();
            } catch (...) {
                failure = std::current_exception();
            }
        }}.join();
        if (failure) {
            std::rethrow_exception(failure);
        }
    }

    /// It lasts as long as somebody has it open.
    static file_descriptor make_network() {
        file_descriptor made;
        in_thread([&made] {
            checked("no network can be made here, as root may",
                    [] { return ::unshare(CLONE_NEWNET); });
            made = file_descriptor{checked("/proc/thread-self/ns/net", [] {
                return ::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
            })};
        });
        return made;
    }

    static void in(const file_descriptor& network, const std::function<void()>& work) {
        in_thread([&] {
            checked("the network cannot be entered",
                    [&] { return ::setns(network.get(), CLONE_NEWNET); });
            work();
        });
    }

    [[nodiscard]] static std::string name(const file_descriptor& network) {
        return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(network.get());
    }

    [[nodiscard]] static std::vector<std::string> in(const file_descriptor& network,
                                                     std::vector<std::string> command) {
        command.insert(command.begin(), {program("nsenter"), "--net=" + name(network)});
        return command;
    }

    [[nodiscard]] static std::string program(const std::string& called) {
        if (auto path = find_program(called)) {
            return *path;
        }
        throw std::runtime_error{"there is no " + called +
                                 "; cmake/install-dependencies.sh test installs it"};
    }

    static void ip(const file_descriptor& network, std::vector<std::string> arguments) {
        const temporary_directory directory;
        arguments.insert(arguments.begin(), program("ip"));
        child_process child{{.arguments = in(network, arguments),
                             .directory = directory.path(),
                             .output = directory.path() / "output",
                             .errors = directory.path() / "errors"}};
        if (!child.wait_for(std::chrono::minutes{1}) || child.status() != 0) {
            throw std::runtime_error{"ip " + arguments.at(1) + ' ' + arguments.at(2) + " failed"};
        }
    }

    const file_descriptor server_ = make_network();
    const file_descriptor client_ = make_network();
};

} // namespace weir::tests

#endif
