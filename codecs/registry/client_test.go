package registry_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/chaperone-audit/chaperone/codecs"
	"github.com/chaperone-audit/chaperone/codecs/registry"
)

func mustSay(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error; want one with %q", words)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q does not say %q", err, word)
		}
	}
	if strings.Contains(err.Error(), "secret") {
		t.Errorf("%q shows a secret", err)
	}
}

// closed is the URL of a server that is not there.
func closed(t *testing.T) string {
	s := httptest.NewServer(nil)
	s.Close()
	return s.URL
}

func status(code int, body string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(code)
		w.Write([]byte(body))
		return true
	}
}

func TestTypes(t *testing.T) {
	f := start(t, &fake{ids: map[string]schema{
		"1": {Schema: `"string"`}, "2": {Schema: `"int"`, SchemaType: "AVRO"},
		"3": {Schema: `message M {}`, SchemaType: "PROTOBUF"}, "4": {Schema: `{}`, SchemaType: "JSON"}, "5": {Schema: "x", SchemaType: "THRIFT"},
	}}, nil)
	c := mustNew(t, registry.Options{URLs: []string{f.url + "/"}})
	mustGet(t, c, 1, `AVRO "string" []`)
	mustGet(t, c, 2, `AVRO "int" []`)
	mustGet(t, c, 3, `PROTOBUF message M {} []`)
	mustGet(t, c, 4, `JSON {} []`)
	fail(t, c, 5, "schema id 5 from registry main", f.url, "not that of a schema registry", "THRIFT")
}

func TestCredentials(t *testing.T) {
	sent := make(chan string, 1)
	f := start(t, avro(), func(w http.ResponseWriter, r *http.Request) bool {
		sent <- r.Header.Get("Authorization")
		return false
	})
	withUser := strings.Replace(f.url, "http://", "http://bob:hidden%40@", 1)
	for _, c := range []struct {
		options registry.Options
		want    string
	}{
		{registry.Options{URLs: []string{f.url}}, ""},
		{registry.Options{URLs: []string{f.url}, User: "amy", Password: "secret"}, "Basic YW15OnNlY3JldA=="},
		{registry.Options{URLs: []string{f.url}, Token: "t"}, "Bearer t"},
		{registry.Options{URLs: []string{withUser}, User: "amy", Password: "secret"}, "Basic Ym9iOmhpZGRlbkA="},
	} {
		mustGet(t, mustNew(t, c.options), 17, `AVRO "string" []`)
		if got := <-sent; got != c.want {
			t.Errorf("sent %q, want %q", got, c.want)
		}
	}
}

func TestTLS(t *testing.T) {
	f := avro()
	s := httptest.NewUnstartedServer(f.handler(nil))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // it tells of the client that hangs up
	s.StartTLS()
	defer s.Close()
	fail(t, mustNew(t, registry.Options{URLs: []string{s.URL}}), 17, s.URL, "certificate")
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	mustGet(t, mustNew(t, registry.Options{URLs: []string{s.URL}, TLS: &tls.Config{RootCAs: roots}}), 17, `AVRO "string" []`)
}

func TestNodesAreTriedInTurn(t *testing.T) {
	for name, first := range map[string]string{
		"down":   closed(t),
		"broken": start(t, avro(), status(500, `{"error_code":50001,"message":"store"}`)).url,
		"a page": start(t, avro(), status(200, `<html>`)).url,
		"behind": start(t, &fake{}, nil).url,
	} {
		t.Run(name, func(t *testing.T) {
			second := start(t, avro(), nil)
			second.ids["18"] = second.ids["17"]
			c := mustNew(t, registry.Options{URLs: []string{first, second.url}, Missing: registry.Malformed})
			mustGet(t, c, 17, `AVRO "string" []`)
			mustGet(t, c, 18, `AVRO "string" []`)
		})
	}
}

func TestTheNodeThatAnswersIsAskedFirst(t *testing.T) {
	first := start(t, avro(), status(503, ""))
	second := start(t, avro(), nil)
	second.ids["18"] = second.ids["17"]
	c := mustNew(t, registry.Options{URLs: []string{first.url, second.url}})
	mustGet(t, c, 17, `AVRO "string" []`)
	mustGet(t, c, 18, `AVRO "string" []`)
	if n := len(first.asked()); n != 1 {
		t.Errorf("the broken node was asked %d times", n)
	}
}

func TestMissing(t *testing.T) {
	f := start(t, avro(), nil)
	waits := []string{"is not in registry main (" + f.url + ")", "counting of the source waits", "`missing: malformed` in schema_registries"}
	for _, id := range []uint32{99, 1 << 31} { // registries answer 404 without a code of theirs to what is no int32
		err := fail(t, mustNew(t, registry.Options{URLs: []string{f.url}}), id, waits...)
		if errors.Is(err, codecs.ErrNoSchema) {
			t.Errorf("%v is final", err)
		}
		err = fail(t, mustNew(t, registry.Options{URLs: []string{f.url}, Missing: registry.Malformed}), id, waits[0])
		if !errors.Is(err, codecs.ErrNoSchema) {
			t.Errorf("%v is not final", err)
		}
	}
}

// Whatever is not a registry that says that it lacks the schema is an error that
// may go away.
func TestWhatIsNotAnAnswer(t *testing.T) {
	big := `{"schema":"` + strings.Repeat("x", 17<<20) + `"}`
	for name, c := range map[string]struct {
		code  int
		body  string
		words []string
	}{
		"404 of a proxy":         {404, "secret not found", []string{"404 Not Found, but not from a schema registry", "path of the URL"}},
		"404 in JSON of another": {404, `{"message":"secret"}`, []string{"404 Not Found, but not from a schema registry"}},
		"404 of a wrong path":    {404, `{"error_code":404,"message":"HTTP 404 Not Found"}`, []string{"404 Not Found, but not from a schema registry"}},
		"code without status":    {200, `{"error_code":40403,"message":"secret"}`, []string{"it has no schema"}},
		"401":                    {401, `{"error_code":401,"message":"secret"}`, []string{"401 Unauthorized"}},
		"429":                    {429, "secret", []string{"429 Too Many Requests"}},
		"500":                    {500, `{"error_code":50001,"message":"secret"}`, []string{"500 Internal Server Error: Error in backend datastore (50001)"}},
		"503":                    {503, "", []string{"503 Service Unavailable"}},
		"redirect":               {302, "secret", []string{"302 Found: redirects are not followed"}},
		"no content":             {204, "", []string{"not that of a schema registry"}},
		"no JSON":                {200, "<html>secret", []string{"not that of a schema registry"}},
		"no schema":              {200, `{}`, []string{"it has no schema"}},
		"too large":              {200, big, []string{"the answer is larger than 16 MiB"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := start(t, avro(), func(w http.ResponseWriter, r *http.Request) bool {
				w.Header().Set("Location", "/schemas/ids/17?secret")
				return status(c.code, c.body)(w, r)
			})
			client := mustNew(t, registry.Options{URLs: []string{f.url}, User: "amy", Password: "secret", Missing: registry.Malformed})
			if err := fail(t, client, 17, append(c.words, "schema id 17 from registry main: "+f.url)...); errors.Is(err, codecs.ErrNoSchema) {
				t.Errorf("%v is final", err)
			}
			if n := len(f.asked()); n != 1 {
				t.Errorf("%d requests in one attempt", n)
			}
		})
	}
}

func TestOneNodeThatDoesNotAnswerMayHaveIt(t *testing.T) {
	f, down := start(t, &fake{}, nil), closed(t)
	c := mustNew(t, registry.Options{URLs: []string{f.url, down}, Missing: registry.Malformed})
	if err := fail(t, c, 17, down, "refused"); errors.Is(err, codecs.ErrNoSchema) {
		t.Errorf("%v is final", err)
	}
}

func TestTimeout(t *testing.T) {
	f := start(t, avro(), func(_ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return true })
	fail(t, mustNew(t, registry.Options{URLs: []string{f.url}, Timeout: 50 * time.Millisecond}), 17, f.url, "no answer in time")
}

func TestErrorsOfAllNodesAreShown(t *testing.T) {
	a, b := closed(t), start(t, avro(), status(503, "")).url
	with := strings.Replace(a, "http://", "http://bob:secret@", 1)
	fail(t, mustNew(t, registry.Options{URLs: []string{with, b}}), 17, a, "refused; "+b+": 503")
	fail(t, mustNew(t, registry.Options{URLs: []string{a}, Token: "secret\n"}), 17, "Authorization")
}

func TestOptionsThatAreWrong(t *testing.T) {
	for want, o := range map[string]registry.Options{
		"urls: must have at least one":        {},
		"urls[0]: must be http:// or https":   {URLs: []string{"registry:8081"}},
		"urls[1]: must be http:// or https":   {URLs: []string{"http://a", "http://bob:secret@a:port"}},
		"urls[0]: must be":                    {URLs: []string{"http://a/?token=secret"}},
		"urls[0]: cannot have a user":         {URLs: []string{"http://bob:secret@a"}, Token: "secret"},
		"urls[0]: has a password but no user": {URLs: []string{"http://:secret@a"}},
		"token: cannot go with a user":        {URLs: []string{"http://a"}, Token: "secret", User: "amy"},
		"password: needs a user":              {URLs: []string{"http://a"}, Password: "secret"},
		"timeout: -1s must be":                {URLs: []string{"http://a"}, Timeout: -time.Second},
		`missing: "skip" must be wait or mal`: {URLs: []string{"http://a"}, Missing: "skip"},
	} {
		_, err := registry.New(o)
		mustSay(t, err, want)
	}
	_, err := registry.New(registry.Options{Missing: "skip"})
	mustSay(t, err, "missing: ", "urls: ")
}

func TestOptionsAreNotChanged(t *testing.T) {
	o := registry.Options{URLs: []string{"http://bob:pw@a"}, TLS: &tls.Config{}}
	mustNew(t, o)
	if !reflect.DeepEqual(o.URLs, []string{"http://bob:pw@a"}) || o.TLS.NextProtos != nil {
		t.Error(o)
	}
}
