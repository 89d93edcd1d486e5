// Package clickhouse runs the real ClickHouse engine without an installation:
// for one-command use and for tests.
//
// The engine is libchdb, ClickHouse as a shared library. [Library] fetches it
// once into a cache. [Start] loads it in a child process, the same binary
// executed again, which speaks the ClickHouse HTTP interface on loopback; so
// clickhouse-go, curl and any other HTTP client can use it, and the code that
// talks to it is the code that talks to a real server. A fault in the engine
// kills the child alone, and the [Server] starts it again on the same port with
// the same data.
//
// A program that calls Start begins its main (and its tests their TestMain)
// with [RunChildIfAsked].
//
// It is for one machine and one user: there are no users and grants, whoever
// may connect to the loopback port may read and write everything, and the
// table functions file() and url() see what the user who runs it sees.
//
// Files: library.go, unpack.go and npm.go get the library; server.go,
// supervise.go and process.go are the parent's side; child.go, http.go,
// insert.go, output.go, handshake.go, errors.go and statement.go the child's;
// engine.go binds the library by purego, without cgo. It runs on linux/amd64 with glibc;
// elsewhere, and with the build tag noembed, Start says so.
package clickhouse
