#include "sqlite.hpp"

#include <sqlite3.h>

#include <utility>

namespace shop {

namespace {

[[noreturn]] void fail(sqlite3* handle, int code) {
    throw database_error{std::string{"SQLite: "} + sqlite3_errmsg(handle), code};
}

void check(sqlite3_stmt* statement, int code) {
    if (code != SQLITE_OK) {
        fail(sqlite3_db_handle(statement), code);
    }
}

} // namespace

bool database_error::is_temporary() const noexcept {
    switch (code_ & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_IOERR:
    case SQLITE_FULL:
    case SQLITE_CANTOPEN:
        return true;
    default:
        return false;
    }
}

bool database_error::is_constraint() const noexcept {
    return (code_ & 0xff) == SQLITE_CONSTRAINT;
}

rows::~rows() {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
}

bool rows::next() {
    const int code = sqlite3_step(statement_);
    if (code == SQLITE_ROW) {
        return true;
    }
    if (code != SQLITE_DONE) {
        fail(sqlite3_db_handle(statement_), code);
    }
    return false;
}

std::int64_t rows::integer(int column) const {
    return sqlite3_column_int64(statement_, column);
}

std::string rows::text(int column) const {
    const unsigned char* const text = sqlite3_column_text(statement_, column);
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
    return text == nullptr ? std::string{} : std::string{reinterpret_cast<const char*>(text), size};
}

void connection::close::operator()(sqlite3* handle) const noexcept {
    sqlite3_close(handle);
}

void connection::finalize::operator()(sqlite3_stmt* statement) const noexcept {
    sqlite3_finalize(statement);
}

connection::connection(const std::string& path) {
    sqlite3* handle = nullptr;
    // NOMUTEX: a connection is used by one thread at a time, so SQLite need not lock it.
    const int code =
        sqlite3_open_v2(path.c_str(), &handle,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
    handle_.reset(handle);
    if (code != SQLITE_OK) {
        throw database_error{"cannot open the database " + path + ": " + sqlite3_errstr(code),
                             code};
    }
    // WAL: readers and one writer do not wait for each other. FULL: a change that was confirmed to a
    // client survives a power failure.
    run_script("PRAGMA busy_timeout = 5000;"
               "PRAGMA journal_mode = WAL;"
               "PRAGMA synchronous = FULL;"
               "PRAGMA foreign_keys = ON;");
}

void connection::run_script(const char* sql) {
    const int code = sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) {
        fail(handle_.get(), code);
    }
}

std::int64_t connection::last_insert_id() const noexcept {
    return sqlite3_last_insert_rowid(handle_.get());
}

std::int64_t connection::changes() const noexcept {
    return sqlite3_changes(handle_.get());
}

sqlite3_stmt* connection::prepare(std::string_view sql) {
    const auto [entry, is_new] = statements_.try_emplace(std::string{sql});
    if (is_new) {
        sqlite3_stmt* statement = nullptr;
        const int code = sqlite3_prepare_v3(handle_.get(), sql.data(), static_cast<int>(sql.size()),
                                            SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
        if (code != SQLITE_OK) {
            statements_.erase(entry);
            fail(handle_.get(), code);
        }
        entry->second.reset(statement);
    }
    return entry->second.get();
}

void connection::bind(sqlite3_stmt* statement, int index, std::int64_t value) {
    check(statement, sqlite3_bind_int64(statement, index, value));
}

void connection::bind(sqlite3_stmt* statement, int index, std::string_view value) {
    // TRANSIENT: SQLite copies the text, which is often a temporary of the caller's.
    check(statement, sqlite3_bind_text64(statement, index, value.data(), value.size(),
                                         SQLITE_TRANSIENT, SQLITE_UTF8));
}

transaction::transaction(connection& on, kind what) : connection_{on} {
    connection_.run_script(what == kind::read ? "BEGIN" : "BEGIN IMMEDIATE");
}

transaction::~transaction() {
    if (!open_) {
        return;
    }
    try {
        connection_.run_script("ROLLBACK");
    } catch (const database_error&) {
        // After some errors SQLite has rolled back by itself already.
    }
}

void transaction::commit() {
    connection_.run_script("COMMIT");
    open_ = false;
}

database::database(std::string path) : path_{std::move(path)} {
    static_cast<void>(borrow());
}

database::loan database::borrow() {
    {
        const std::lock_guard lock{mutex_};
        if (!idle_.empty()) {
            std::unique_ptr<connection> connection = std::move(idle_.back());
            idle_.pop_back();
            return {*this, std::move(connection)};
        }
    }
    return {*this, std::make_unique<connection>(path_)};
}

void database::take_back(std::unique_ptr<connection> connection) noexcept {
    const std::lock_guard lock{mutex_};
    try {
        idle_.push_back(std::move(connection));
    } catch (const std::bad_alloc&) {
        // Then this connection is closed instead of kept.
    }
}

} // namespace shop
