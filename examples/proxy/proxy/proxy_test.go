package proxy

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/chaperone-audit/chaperone/audit"
)

// counted is a Reporter that keeps which topics it hears of.
type counted map[string]bool

func (c counted) Report(_ context.Context, records []*audit.Record) error {
	for _, r := range records {
		c[r.Topic] = true
	}
	return nil
}

func TestATopicThatKafkaWouldNotTakeIsRefusedUncounted(t *testing.T) {
	c := counted{}
	r, err := audit.NewRecorder(audit.Options{Tier: "edge", Reporter: c})
	if err != nil {
		t.Fatal(err)
	}
	var sent []string
	p := New(r, func(_ context.Context, m *kgo.Record) error {
		sent = append(sent, m.Topic)
		return nil
	})
	long := strings.Repeat("t", 249)
	for path, want := range map[string]int{
		"orders":     http.StatusNoContent,
		"a.B_9-":     http.StatusNoContent,
		long:         http.StatusNoContent,
		long + "t":   http.StatusBadRequest,
		"%FF":        http.StatusBadRequest,
		"a%0A":       http.StatusBadRequest,
		"with%20gap": http.StatusBadRequest,
		"a%2Fb":      http.StatusBadRequest,
	} {
		w := httptest.NewRecorder()
		p.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/topics/"+path, strings.NewReader("v")))
		if w.Code != want {
			t.Errorf("%.20s: %d, want %d", path, w.Code, want)
		}
	}
	if err := r.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if len(sent) != 3 || len(c) != 3 {
		t.Errorf("sent %d, counted %d topics", len(sent), len(c))
	}
}
