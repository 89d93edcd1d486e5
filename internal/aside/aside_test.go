package aside

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

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
