//go:build !linux || !amd64 || noembed

package clickhouse

import "errors"

// embedded says whether this build has the engine.
const embedded = false

func runChild(childConfig) error {
	return errors.New("this build has no embedded ClickHouse")
}
