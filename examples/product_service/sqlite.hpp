#ifndef PRODUCT_SERVICE_SQLITE_HPP
#define PRODUCT_SERVICE_SQLITE_HPP

/// As much of SQLite as the service needs: a pool of connections, statements prepared once per
/// connection, transactions that roll back by themselves.

#include <cstdint>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

struct sqlite3;
struct sqlite3_stmt;

namespace shop {

class database_error : public std::runtime_error {
public:
    database_error(const std::string& what, int code) : std::runtime_error{what}, code_{code} {}

    /// True if the same request may well succeed later: locked, disk full, input/output error.
    [[nodiscard]] bool is_temporary() const noexcept;
    /// True if a foreign key or another constraint refused the change.
    [[nodiscard]] bool is_constraint() const noexcept;

private:
    int code_;
};

/// The rows of a query that is being run. Gives its statement back when it goes out of scope, so it
/// must not outlive the connection, nor be alive twice for one text of SQL.
class rows {
public:
    explicit rows(sqlite3_stmt* statement) noexcept : statement_{statement} {}
    rows(const rows&) = delete;
    rows& operator=(const rows&) = delete;
    ~rows();

    /// Moves to the next row, at first to the first; false if there is none.
    bool next();
    [[nodiscard]] std::int64_t integer(int column) const;
    [[nodiscard]] std::string text(int column) const;

private:
    sqlite3_stmt* statement_;
};

/// One connection, for one thread at a time.
class connection {
public:
    explicit connection(const std::string& path);

    /// Runs one statement with its parameters: integers and texts.
    template<class... Parameters>
    rows query(std::string_view sql, const Parameters&... parameters) {
        sqlite3_stmt* const statement = prepare(sql);
        int index = 0;
        (bind(statement, ++index, parameters), ...);
        return rows{statement};
    }

    /// The same for a statement without rows. Returns how many rows it changed.
    template<class... Parameters>
    std::int64_t execute(std::string_view sql, const Parameters&... parameters) {
        query(sql, parameters...).next();
        return changes();
    }

    /// Runs several statements without parameters.
    void run_script(const char* sql);

    [[nodiscard]] std::int64_t last_insert_id() const noexcept;

private:
    struct close {
        void operator()(sqlite3* handle) const noexcept;
    };
    struct finalize {
        void operator()(sqlite3_stmt* statement) const noexcept;
    };

    sqlite3_stmt* prepare(std::string_view sql);
    static void bind(sqlite3_stmt* statement, int index, std::int64_t value);
    static void bind(sqlite3_stmt* statement, int index, std::string_view value);
    [[nodiscard]] std::int64_t changes() const noexcept;

    std::unique_ptr<sqlite3, close> handle_;
    std::unordered_map<std::string, std::unique_ptr<sqlite3_stmt, finalize>> statements_;
};

/// Everything until `commit`, or nothing.
class transaction {
public:
    enum class kind {
        /// Sees one state of the database throughout.
        read,
        /// Keeps other writers out from the start, so that it never has to begin again.
        write,
    };

    transaction(connection& on, kind what);
    transaction(const transaction&) = delete;
    transaction& operator=(const transaction&) = delete;
    ~transaction();

    void commit();

private:
    connection& connection_;
    bool open_ = true;
};

/// A database file, to be used from many threads: each borrows a connection of its own.
class database {
public:
    /// A connection on loan; goes back to the pool at the end of its scope.
    class loan {
    public:
        loan(database& owner, std::unique_ptr<connection> connection) noexcept
            : owner_{owner}, connection_{std::move(connection)} {}
        loan(const loan&) = delete;
        loan& operator=(const loan&) = delete;
        ~loan() { owner_.take_back(std::move(connection_)); }

        connection& operator*() const noexcept { return *connection_; }
        connection* operator->() const noexcept { return connection_.get(); }

    private:
        database& owner_;
        std::unique_ptr<connection> connection_;
    };

    /// Opens the file, or creates it. Throws database_error.
    explicit database(std::string path);

    /// An idle connection, or a new one: there are never more than threads that ask.
    [[nodiscard]] loan borrow();

private:
    void take_back(std::unique_ptr<connection> connection) noexcept;

    std::string path_;
    std::mutex mutex_;
    std::vector<std::unique_ptr<connection>> idle_;
};

} // namespace shop

#endif
