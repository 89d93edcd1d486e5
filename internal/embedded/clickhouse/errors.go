//go:build linux && amd64 && !noembed

package clickhouse

import (
	"net/http"
	"regexp"
	"strconv"
)

// An engineError is what the engine said: Code: 60. DB::Exception: ... (UNKNOWN_TABLE).
type engineError string

func (e engineError) Error() string { return string(e) }

var codePattern = regexp.MustCompile(`^Code: (\d+)\.`)

// unknownException is ClickHouse's code for what has none.
const unknownException = 1002

// errorCode is ClickHouse's number of an error.
func errorCode(err error) int {
	if m := codePattern.FindStringSubmatch(err.Error()); m != nil {
		if code, err := strconv.Atoi(m[1]); err == nil {
			return code
		}
	}
	return unknownException
}

// httpStatus is the status that ClickHouse's HTTP interface gives an error.
func httpStatus(code int) int {
	switch code {
	case 16, 46, 47, 50, 56, 60, 81, 115: // unknown column, function, identifier, type, storage, table, database, setting
		return http.StatusNotFound
	case 6, 26, 27, 33, 36, 38, 41, 42, 43, 53, 62, 69, 70, 117, 130, 158, 386, 456, 457, 469: // the question is wrong
		return http.StatusBadRequest
	case 48: // not implemented
		return http.StatusNotImplemented
	case 159: // timeout
		return http.StatusRequestTimeout
	case 516: // authentication failed
		return http.StatusForbidden
	}
	return http.StatusInternalServerError
}
