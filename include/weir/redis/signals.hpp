#ifndef WEIR_REDIS_SIGNALS_HPP
#define WEIR_REDIS_SIGNALS_HPP

#include <csignal>
#include <initializer_list>

namespace weir::detail::redis {

/// Leaves the signals that are sent to the process to the threads of the program. Those that a thread
/// causes itself are not blocked, as a fault under a blocked signal ends the program past its handler;
/// nor is that of profilers.
inline void block_asynchronous_signals() noexcept {
    ::sigset_t blocked;
    ::sigfillset(&blocked);
    for (const int mine : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGPROF}) {
        ::sigdelset(&blocked, mine);
    }
    ::pthread_sigmask(SIG_BLOCK, &blocked, nullptr);
}

} // namespace weir::detail::redis

#endif
