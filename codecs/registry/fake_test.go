package registry_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"github.com/chaperone-audit/chaperone/codecs/registry"
)

type reference struct {
	Name    string `json:"name"`
	Subject string `json:"subject"`
	Version int    `json:"version"`
}

type schema struct {
	Schema     string      `json:"schema"`
	SchemaType string      `json:"schemaType,omitempty"`
	References []reference `json:"references,omitempty"`
}

// A fake answers as the registries do: bodies, codes and types are theirs.
type fake struct {
	url      string
	ids      map[string]schema
	versions map[string]schema // by subject/version, the subject escaped

	mu       sync.Mutex
	requests []string
}

// start runs a fake behind a handler, if there is one, that says whether it has
// answered itself.
func start(t *testing.T, f *fake, before func(http.ResponseWriter, *http.Request) bool) *fake {
	s := httptest.NewServer(f.handler(before))
	t.Cleanup(s.Close)
	f.url = s.URL
	return f
}

func (f *fake) handler(before func(http.ResponseWriter, *http.Request) bool) http.Handler {
	answer := func(w http.ResponseWriter, status int, body any) {
		w.Header().Set("Content-Type", "application/vnd.schemaregistry.v1+json")
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(body)
	}
	refuse := func(w http.ResponseWriter, code int, message string) {
		answer(w, http.StatusNotFound, map[string]any{"error_code": code, "message": message})
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /schemas/ids/{id}", func(w http.ResponseWriter, r *http.Request) {
		if s, ok := f.ids[r.PathValue("id")]; ok {
			answer(w, http.StatusOK, s)
		} else {
			refuse(w, 40403, "Schema "+r.PathValue("id")+" not found")
		}
	})
	mux.HandleFunc("GET /subjects/{subject}/versions/{version}", func(w http.ResponseWriter, r *http.Request) {
		if s, ok := f.versions[r.PathValue("subject")+"/"+r.PathValue("version")]; ok {
			answer(w, http.StatusOK, map[string]any{"subject": r.PathValue("subject"), "version": 1, "id": 1000,
				"schema": s.Schema, "schemaType": s.SchemaType, "references": s.References})
		} else {
			refuse(w, 40402, "Version not found")
		}
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { refuse(w, 404, "HTTP 404 Not Found") })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		f.requests = append(f.requests, r.RequestURI)
		f.mu.Unlock()
		if before == nil || !before(w, r) {
			mux.ServeHTTP(w, r)
		}
	})
}

// asked lists the requests so far.
func (f *fake) asked() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.requests)
}

// avro is a registry with one schema, number 17.
func avro() *fake { return &fake{ids: map[string]schema{"17": {Schema: `"string"`}}} }

func mustNew(t *testing.T, o registry.Options) *registry.Client {
	t.Helper()
	o.Name = "main"
	c, err := registry.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// mustGet expects a schema of the type and text.
func mustGet(t *testing.T, c *registry.Client, id uint32, want string) {
	t.Helper()
	s, err := c.Schema(context.Background(), id)
	if got := fmt.Sprintf("%s %s %v", s.Type, s.Text, s.Needs); err != nil || got != want {
		t.Errorf("schema %d is %s, %v; want %s", id, got, err, want)
	}
}

// fail expects an error with all the words in it.
func fail(t *testing.T, c *registry.Client, id uint32, words ...string) error {
	t.Helper()
	_, err := c.Schema(context.Background(), id)
	mustSay(t, err, words...)
	return err
}
