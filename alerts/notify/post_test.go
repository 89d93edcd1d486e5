package notify_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chaperone-audit/chaperone/alerts/notify"
)

func TestWhatTheReceiverAnswers(t *testing.T) {
	for _, c := range []struct {
		outcome string
		answer  http.HandlerFunc
		refused bool
		after   time.Duration
		text    string // empty: no error
	}{
		{outcome: "2xx is taken", answer: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) }},
		{outcome: "4xx is refused", answer: func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no such "+r.URL.Path, 404) }, refused: true, text: "404"},
		{outcome: "5xx may heal", answer: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, text: "500"},
		{outcome: "429 says when", answer: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "30")
			w.WriteHeader(http.StatusTooManyRequests)
		}, after: 30 * time.Second, text: "429"},
		{outcome: "a redirect is not followed", answer: func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://elsewhere.invalid/", http.StatusTemporaryRedirect)
		}, refused: true, text: "307"},
		{outcome: "one that hangs is given up", answer: func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, text: "imeout"},
	} {
		t.Run(c.outcome, func(t *testing.T) {
			// What a receiver repeats of a secret must not show either.
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = r.Body.Read(make([]byte, 100))
				c.answer(w, r)
			}))
			defer s.Close()
			p, err := notify.NewPoster(notify.HTTP{URL: s.URL + "/tomato?key=tomato", Token: "tomato-token", Timeout: 200 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			_, err = p.Post(t.Context(), map[string]string{"a": "b"}, nil)
			switch {
			case c.text == "" && err != nil:
				t.Fatal(err)
			case c.text == "":
				return
			case err == nil || !strings.Contains(err.Error(), c.text) || errors.Is(err, notify.ErrRefused) != c.refused:
				t.Errorf("got %v", err)
			case strings.Contains(err.Error(), "tomato?") || strings.Contains(err.Error(), s.URL):
				t.Errorf("a secret shows in %v", err)
			}
			if f, ok := errors.AsType[*notify.Failure](err); c.after > 0 && (!ok || f.After != c.after) {
				t.Errorf("got %v, want to be left alone for %s", err, c.after)
			}
		})
	}
}

func TestOneWhoIsAwayShowsNoSecret(t *testing.T) {
	s := httptest.NewServer(nil)
	s.Close()
	p, err := notify.NewPoster(notify.HTTP{URL: s.URL + "/tomato", User: "u", Password: "tomato"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = p.Post(t.Context(), nil, nil); err == nil || errors.Is(err, notify.ErrRefused) || strings.Contains(err.Error(), "tomato") {
		t.Errorf("got %v", err)
	}
	if _, err := notify.NewPoster(notify.HTTP{URL: "hooks.example/tomato"}); err == nil || strings.Contains(err.Error(), "tomato") {
		t.Errorf("got %v", err)
	}
}
