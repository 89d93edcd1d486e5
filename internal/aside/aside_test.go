package aside

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/chaperone-audit/chaperone/internal/health"
)

func TestNewestItemsAreKeptAndAllAreCounted(t *testing.T) {
	var registry health.Registry
	l := New(slog.New(slog.DiscardHandler), registry.Part("records"))
	defer l.Close()
	if _, worst := registry.Reports(); worst != health.OK {
		t.Errorf("health is %s before anything was set aside", worst)
	}
	for n := range int64(keep + 20) {
		l.Add("audit", 3, n, errors.New("no record"))
	}
	items, total := l.Items()
	if total != keep+20 || len(items) != keep || items[0].Offset != 20 || items[keep-1].Offset != keep+19 {
		t.Errorf("%d items of %d, from %d to %d", len(items), total, items[0].Offset, items[len(items)-1].Offset)
	}
	list, worst := registry.Reports()
	if worst != health.Degraded || !strings.Contains(list[0].Reason, "offset 119 of audit/3: no record") {
		t.Errorf("health says %+v", list)
	}
}

func TestARecordReadAgainIsListedOnce(t *testing.T) {
	l := New(slog.New(slog.DiscardHandler), nil)
	defer l.Close()
	for range 3 {
		l.Add("audit", 0, 7, errors.New("no record"))
		l.Add("audit", 1, 7, errors.New("no record"))
	}
	if items, _ := l.Items(); len(items) != 2 {
		t.Errorf("listed %+v", items)
	}
}

func TestTheLogHearsOnceAMinute(t *testing.T) {
	var out bytes.Buffer
	l := New(slog.New(slog.NewTextHandler(&out, nil)), nil)
	defer l.Close()
	now := time.Unix(1_700_000_000, 0)
	l.now = func() time.Time { return now }
	for n := range int64(100) {
		l.Add("audit", 0, n, errors.New("no record"))
	}
	if n := strings.Count(out.String(), "\n"); n != 1 {
		t.Errorf("%d lines for 100 records at once", n)
	}
	now = now.Add(logEvery)
	l.Add("audit", 0, 100, errors.New("no record"))
	if !strings.Contains(out.String(), "since_last_line=100") {
		t.Errorf("the next line does not tell of those in between:\n%s", out.String())
	}
}
