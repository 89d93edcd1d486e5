package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	driver "github.com/ClickHouse/clickhouse-go/v2"

	"github.com/chaperone-audit/chaperone/query"
	"github.com/chaperone-audit/chaperone/sinks"
)

const codeBadArguments = 36

// rejections are ClickHouse's error codes for data that it will not take however
// often it is asked. Whatever is not here is worth another try: a table that is
// missing, read-only or has too many parts, a full disk, a memory limit.
var rejections = map[int32]bool{
	6:   true, // CANNOT_PARSE_TEXT
	26:  true, // CANNOT_PARSE_QUOTED_STRING
	27:  true, // CANNOT_PARSE_INPUT_ASSERTION_FAILED
	38:  true, // CANNOT_PARSE_DATE
	41:  true, // CANNOT_PARSE_DATETIME
	53:  true, // TYPE_MISMATCH
	69:  true, // ARGUMENT_OUT_OF_BOUND
	70:  true, // CANNOT_CONVERT_TYPE
	72:  true, // CANNOT_PARSE_NUMBER
	117: true, // INCORRECT_DATA
	128: true, // TOO_LARGE_ARRAY_SIZE
	130: true, // CANNOT_READ_ARRAY_FROM_TEXT
	131: true, // TOO_LARGE_STRING_SIZE
	190: true, // SIZES_OF_ARRAYS_DONT_MATCH
	321: true, // VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE
	349: true, // CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
	376: true, // CANNOT_PARSE_UUID
	407: true, // DECIMAL_OVERFLOW
	469: true, // VIOLATED_CONSTRAINT
}

// rejected marks the error of an insert if the batch as it is will fail for ever.
func rejected(err error) error {
	if err == nil {
		return nil
	}
	var h *driver.HTTPError
	tooLarge := errors.As(err, &h) && h.StatusCode == http.StatusRequestEntityTooLarge // a proxy's limit: half of it may pass
	if tooLarge || rejections[code(err)] {
		return fmt.Errorf("%w: %w", sinks.ErrRejected, err)
	}
	return err
}

// unavailable marks the error of a query: ours are always the same, so it is the
// store that has a problem, unless the caller gave up.
func unavailable(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil {
		return err
	}
	return fmt.Errorf("%w: %w", query.ErrUnavailable, err)
}
