//go:build linux && amd64 && !noembed

package clickhouse

import (
	"errors"
	"fmt"
	"runtime"
	"syscall"
	"unsafe"

	"github.com/ebitengine/purego"
)

// An engine is libchdb in this process: the C interface of its programs/local/chdb.h,
// called through purego. Safe for concurrent use. It has one data directory.
type engine struct {
	sigaction uintptr

	connectTo, disconnect                    uintptr
	query, streamQuery, fetch, cancel        uintptr
	destroyResult, buffer, length, resultErr uintptr
	rowsRead, rowsWritten                    uintptr
	insert, insertAppend, insertDone         uintptr
	insertCancel, insertErr, insertDestroy   uintptr
	signalHandlers, libraryVersion           uintptr
}

// openEngine loads the library.
func openEngine(path string) (*engine, error) {
	lib, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", path, err)
	}
	e := &engine{}
	for name, entry := range map[string]*uintptr{
		"chdb_connect": &e.connectTo, "chdb_close_conn": &e.disconnect,
		"chdb_query_with_params_n": &e.query, "chdb_stream_query_with_params_n": &e.streamQuery,
		"chdb_stream_fetch_result": &e.fetch, "chdb_stream_cancel_query": &e.cancel,
		"chdb_destroy_query_result": &e.destroyResult, "chdb_result_buffer": &e.buffer, "chdb_result_length": &e.length,
		"chdb_result_error": &e.resultErr, "chdb_result_rows_read": &e.rowsRead, "chdb_result_rows_written": &e.rowsWritten,
		"chdb_stream_insert_with_params_n": &e.insert, "chdb_stream_append": &e.insertAppend, "chdb_stream_done": &e.insertDone,
		"chdb_stream_cancel_insert": &e.insertCancel, "chdb_stream_insert_error": &e.insertErr, "chdb_destroy_insert_stream": &e.insertDestroy,
		"chdb_set_signal_handlers_enabled": &e.signalHandlers, "chdb_version": &e.libraryVersion,
	} {
		if *entry, err = purego.Dlsym(lib, name); err != nil {
			return nil, fmt.Errorf("load %s: it is no libchdb %s: %w", path, libraryRelease, err)
		}
	}
	self, err := purego.Dlopen("", purego.RTLD_NOW)
	if err != nil {
		return nil, fmt.Errorf("load libc: %w", err)
	}
	if e.sigaction, err = purego.Dlsym(self, "sigaction"); err != nil {
		return nil, fmt.Errorf("load libc: %w", err)
	}
	// Before the first connection: by default the engine takes SIGSEGV and others
	// for itself, and the first nil dereference that Go would recover from kills it.
	defer e.keepSignals()()
	purego.SyscallN(e.signalHandlers, 0)
	return e, nil
}

// goSignals are the signals whose handlers belong to the Go runtime.
var goSignals = []syscall.Signal{
	syscall.SIGILL, syscall.SIGABRT, syscall.SIGFPE, syscall.SIGBUS, syscall.SIGSEGV, syscall.SIGURG, syscall.SIGTERM, syscall.SIGINT,
	syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGPIPE, syscall.SIGPROF, syscall.SIGTRAP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGTSTP,
}

// keepSignals saves Go's signal handlers and returns what puts them back. The
// setting above suffices for 26.7; other builds reset handlers on connecting.
func (e *engine) keepSignals() (restore func()) {
	saved := make([][256]byte, len(goSignals)) // struct sigaction has 152 bytes
	for i, s := range goSignals {
		purego.SyscallN(e.sigaction, uintptr(s), 0, uintptr(unsafe.Pointer(&saved[i][0])))
	}
	return func() {
		for i, s := range goSignals {
			purego.SyscallN(e.sigaction, uintptr(s), uintptr(unsafe.Pointer(&saved[i][0])), 0)
		}
	}
}

// version is that of the library, such as 26.7.3.
func (e *engine) version() string {
	p, _, _ := purego.SyscallN(e.libraryVersion)
	return goString(p)
}

// A session is a connection to the engine with its settings, current database
// and temporary tables. It runs one statement at a time: callers take turns.
type session struct {
	e      *engine
	handle uintptr // chdb_connection *, which the calls want dereferenced
}

// connect opens a session. The arguments, in the form --name=value, name the
// data directory (path) and server settings; those of the first session count.
func (e *engine) connect(args ...string) (*session, error) {
	args = append([]string{"clickhouse"}, args...)
	argv := make([]*byte, len(args)+1)
	for i, a := range args {
		argv[i] = &append([]byte(a), 0)[0]
	}
	defer e.keepSignals()()
	handle, _, _ := purego.SyscallN(e.connectTo, uintptr(len(args)), uintptr(unsafe.Pointer(&argv[0])))
	runtime.KeepAlive(argv)
	if handle == 0 {
		return nil, errors.New("the engine refused to open its data directory")
	}
	return &session{e: e, handle: handle}, nil
}

// Close ends the session. Closing the last one closes the engine.
func (s *session) Close() {
	if s.handle != 0 {
		purego.SyscallN(s.e.disconnect, s.handle)
		s.handle = 0
	}
}

func (s *session) conn() uintptr { return **(**uintptr)(unsafe.Pointer(&s.handle)) }

// call runs one of the *_with_params_n entries. Strings are given with their
// lengths, so they may hold any bytes.
func (s *session) call(entry uintptr, statement, format string, params map[string]string) uintptr {
	n := len(params)
	names, values := make([]*byte, n+1), make([]*byte, n+1)
	nameLen, valueLen := make([]uint64, n+1), make([]uint64, n+1)
	i := 0
	for name, value := range params {
		nameLen[i], valueLen[i] = uint64(len(name)), uint64(len(value))
		names[i], values[i] = unsafe.StringData(name+"\x00"), unsafe.StringData(value+"\x00")
		i++
	}
	st, f := unsafe.StringData(statement+"\x00"), unsafe.StringData(format+"\x00")
	r, _, _ := purego.SyscallN(entry, s.conn(),
		uintptr(unsafe.Pointer(st)), uintptr(len(statement)), uintptr(unsafe.Pointer(f)), uintptr(len(format)),
		uintptr(unsafe.Pointer(&names[0])), uintptr(unsafe.Pointer(&nameLen[0])),
		uintptr(unsafe.Pointer(&values[0])), uintptr(unsafe.Pointer(&valueLen[0])), uintptr(n))
	runtime.KeepAlive(names)
	runtime.KeepAlive(values)
	runtime.KeepAlive(nameLen)
	runtime.KeepAlive(valueLen)
	runtime.KeepAlive(st)
	runtime.KeepAlive(f)
	return r
}

// errNoResult is what the engine is not known to do: answer nothing at all.
var errNoResult = errors.New("the engine gave neither a result nor an error")

// Query runs a statement and gives its whole result, to be freed.
func (s *session) Query(statement, format string, params map[string]string) (result, error) {
	r := result{s.e, s.call(s.e.query, statement, format, params)}
	if r.p == 0 {
		return r, errNoResult
	}
	if err := r.err(); err != nil {
		r.Free()
		return result{}, err
	}
	return r, nil
}

// Text runs a statement and gives its result as tab-separated text.
func (s *session) Text(statement string) (string, error) {
	r, err := s.Query(statement, "TabSeparated", nil)
	if err != nil {
		return "", err
	}
	defer r.Free()
	return string(r.Bytes()), nil
}

// Stream runs a statement and hands on its result block by block. Each block is
// formatted as a document of its own, so only formats without a frame will do.
func (s *session) Stream(statement, format string, params map[string]string, each func([]byte) error) error {
	stream := result{s.e, s.call(s.e.streamQuery, statement, format, params)}
	if stream.p == 0 {
		return errNoResult
	}
	defer stream.Free()
	if err := stream.err(); err != nil {
		return err
	}
	for {
		p, _, _ := purego.SyscallN(s.e.fetch, s.conn(), stream.p)
		if p == 0 {
			return nil
		}
		block := result{s.e, p}
		err := block.err()
		data := block.Bytes()
		end := err == nil && len(data) == 0 && block.Read() == 0
		if err == nil && !end {
			if err = each(data); err != nil {
				purego.SyscallN(s.e.cancel, s.conn(), stream.p)
			}
		}
		block.Free()
		if err != nil || end {
			return err
		}
	}
}

// A result is the outcome of a statement, in the engine's memory.
type result struct {
	e *engine
	p uintptr
}

// Bytes is the formatted result, valid until Free.
func (r result) Bytes() []byte {
	n, _, _ := purego.SyscallN(r.e.length, r.p)
	b, _, _ := purego.SyscallN(r.e.buffer, r.p)
	if n == 0 || b == 0 {
		return nil
	}
	return unsafe.Slice(*(**byte)(unsafe.Pointer(&b)), int(n))
}

func (r result) err() error {
	p, _, _ := purego.SyscallN(r.e.resultErr, r.p)
	if text := goString(p); text != "" {
		return engineError(text)
	}
	return nil
}

// Read and Written are numbers of rows.
func (r result) Read() uint64    { n, _, _ := purego.SyscallN(r.e.rowsRead, r.p); return uint64(n) }
func (r result) Written() uint64 { n, _, _ := purego.SyscallN(r.e.rowsWritten, r.p); return uint64(n) }

// Free returns the memory.
func (r result) Free() { purego.SyscallN(r.e.destroyResult, r.p) }

// An insertion is an INSERT that takes its rows as bytes in an input format, cut
// anywhere. It ends with Done or Cancel, then Free.
type insertion struct {
	e *engine
	p uintptr
}

// Insert begins an insertion.
func (s *session) Insert(statement, format string, params map[string]string) (*insertion, error) {
	in := &insertion{s.e, s.call(s.e.insert, statement, format, params)}
	if in.p == 0 {
		return nil, errNoResult
	}
	if err := in.err(); err != nil {
		in.Free()
		return nil, err
	}
	return in, nil
}

func (in *insertion) err() error {
	p, _, _ := purego.SyscallN(in.e.insertErr, in.p)
	if text := goString(p); text != "" {
		return engineError(text)
	}
	return nil
}

// Write hands bytes to the engine.
func (in *insertion) Write(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	r, _, _ := purego.SyscallN(in.e.insertAppend, in.p, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	if int32(r) == 0 { // a C enum: the upper half of the register is not ours
		return len(b), nil
	}
	if err := in.err(); err != nil {
		return 0, err
	}
	return 0, errNoResult
}

// Done commits the rows and says how many there were.
func (in *insertion) Done() (rows uint64, err error) {
	p, _, _ := purego.SyscallN(in.e.insertDone, in.p)
	if p == 0 {
		if err := in.err(); err != nil {
			return 0, err
		}
		return 0, errNoResult
	}
	r := result{in.e, p}
	defer r.Free()
	return r.Written(), r.err()
}

// Cancel drops what has not been committed, which for a body of less than one
// block of the engine (about a million rows) is everything.
func (in *insertion) Cancel() { purego.SyscallN(in.e.insertCancel, in.p) }

// Free returns the memory.
func (in *insertion) Free() { purego.SyscallN(in.e.insertDestroy, in.p) }

// goString copies a C string; "" for a null pointer.
func goString(p uintptr) string {
	if p == 0 {
		return ""
	}
	start := *(**byte)(unsafe.Pointer(&p))
	n := 0
	for *(*byte)(unsafe.Add(unsafe.Pointer(start), n)) != 0 {
		n++
	}
	return string(unsafe.Slice(start, n))
}
