package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	v1 "github.com/chaperone-audit/chaperone/api/v1"
	"github.com/chaperone-audit/chaperone/internal/produce"
)

var (
	here  = cell{"regional", "local", "orders", 3, 600, 600}
	there = cell{"regional", "local", "orders", 3, 1200, 600}
)

func TestCompareFindsEveryCellThatDiffers(t *testing.T) {
	five, six := produce.Counts{Count: 5, Bytes: 50}, produce.Counts{Count: 6, Bytes: 50}
	for _, c := range []struct {
		outcome         string
		want, sql, rest cells
		wrong           []cell
	}{
		{"all alike is not wrong", cells{here: five}, cells{here: five}, cells{here: five}, nil},
		{"the store alone is wrong", cells{here: five}, cells{here: six}, cells{here: five}, []cell{here}},
		{"rest alone is wrong", cells{here: five}, cells{here: five}, cells{here: six}, []cell{here}},
		{"both are wrong in the same way", cells{here: five}, cells{here: six}, cells{here: six}, []cell{here}},
		{"a window is not counted", cells{here: five, there: five}, cells{here: five}, cells{here: five, there: five}, []cell{there}},
		{"a window is counted where nothing is", cells{here: five}, cells{here: five}, cells{here: five, there: five}, []cell{there}},
		{"a class differs", cells{here: five}, cells{here: five}, cells{here: {Count: 5, Bytes: 50, Malformed: 1}}, []cell{here}},
	} {
		t.Run(c.outcome, func(t *testing.T) {
			got := compare(c.want, c.sql, c.rest)
			if fmt.Sprint(got.wrong) != fmt.Sprint(c.wrong) {
				t.Errorf("wrong are %v, want %v", got.wrong, c.wrong)
			}
		})
	}
}

func TestDifferencesAreShownUpToTwenty(t *testing.T) {
	want := cells{}
	for p := range int32(25) {
		want[cell{"regional", "local", "orders", p, 600, 600}] = produce.Counts{Count: 7}
	}
	var b bytes.Buffer
	compare(want, cells{}, want).show(&b)
	if n := strings.Count(b.String(), "wrong: "); n != 20 || !strings.Contains(b.String(), "and 5 more") {
		t.Errorf("%d are shown:\n%s", n, b.String())
	}
	if !strings.Contains(b.String(), "regional/local orders/0 01-01T00:10Z\n  recount     7 messages") {
		t.Errorf("the first does not say what and where:\n%s", b.String())
	}
}

func TestLookReadsClickHouseAndREST(t *testing.T) {
	three := int32(3)
	row := v1.Row{Start: time.Unix(600, 0), End: time.Unix(1200, 0), Tier: "regional", Cluster: "local", Partition: &three,
		Count: 5, Bytes: 50, NoTime: 3, Malformed: 2, OutOfBounds: 1}
	rows := []v1.Row{row}
	sql := "regional\tlocal\torders\t3\t600\t600\t5\t50\t3\t2\t1\n"
	mux := http.NewServeMux()
	answer := func(v any) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("from") != "-85800" || r.URL.Query().Get("to") != "87600" {
				t.Errorf("asked for %s", r.URL.RawQuery)
			}
			json.NewEncoder(w).Encode(v)
		}
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, sql) })
	mux.HandleFunc("/api/v1/topics", answer(v1.Topics{Topics: []v1.Topic{{Name: "orders"}}}))
	mux.HandleFunc("/api/v1/topics/orders/windows", func(w http.ResponseWriter, r *http.Request) { answer(v1.Windows{Rows: rows})(w, r) })
	s := httptest.NewServer(mux)
	defer s.Close()
	a := answers{clickhouse: s.URL, rest: s.URL}
	want := cells{here: {Count: 5, Bytes: 50, NoTime: 3, Malformed: 2, OutOfBounds: 1}}

	c, err := a.look(context.Background(), want)
	if err != nil || c.checked != 1 || len(c.wrong) != 0 {
		t.Errorf("got %+v, %v", c, err)
	}
	rows = []v1.Row{row, row}
	if _, err := a.look(context.Background(), want); err == nil || !strings.Contains(err.Error(), "there twice") {
		t.Errorf("a row that is there twice: %v", err)
	}
	sql = "regional\tlocal\n"
	if _, err := a.look(context.Background(), want); err == nil || !strings.Contains(err.Error(), "2 columns") {
		t.Errorf("a short row: %v", err)
	}
}

func FuzzParseRows(f *testing.F) {
	f.Add("regional\tlocal\torders\t3\t600\t600\t5\t50\t3\t2\t1\n")
	f.Add("a\tb\tc\t99999999999\t0\t0\t0\t0\t0\t0\t0")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := parseRows(text)
		if err == nil && len(got) > strings.Count(text, "\n")+1 {
			t.Errorf("%d cells of %q", len(got), text)
		}
	})
}

func TestTallyOfTheProducerIsRead(t *testing.T) {
	got, err := parseTally(`[["orders", 3, 600, 5, 50, 3, 2, 1]]`, 600)
	k := produce.Key{Topic: "orders", Partition: 3}
	k.Window.Start, k.Window.Size = 600, 600
	if err != nil || len(got) != 1 || got[k] != (produce.Counts{Count: 5, Bytes: 50, NoTime: 3, Malformed: 2, OutOfBounds: 1}) {
		t.Errorf("got %v, %v", got, err)
	}
	for _, text := range []string{``, `[["orders"]]`, `[[]]`, `[null]`, `[["orders", 3, 600, 5, 50, 3, 2, 1, 1]]`, `[["orders", 3.5, 600, 5, 50, 3, 2, 1]]`, `[["orders", 3, 600, -5, 50, 3, 2, 1]]`} {
		if got, err := parseTally(text, 600); err == nil {
			t.Errorf("%q is read as %v", text, got)
		}
	}
}

func FuzzParseTally(f *testing.F) {
	f.Add(`[["orders", 3, 600, 5, 50, 3, 2, 1]]`)
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := parseTally(text, 600); err == nil && !json.Valid([]byte(text)) {
			t.Errorf("%q is read", text)
		}
	})
}
