package clickhouse_test

import (
	"testing"

	"github.com/chaperone-audit/chaperone/internal/embedded/clickhouse/clickhousetest"
)

func TestMain(m *testing.M) {
	lonelyParent()
	clickhousetest.Main(m)
}
