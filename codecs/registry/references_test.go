package registry_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/chaperone-audit/chaperone/codecs"
	"github.com/chaperone-audit/chaperone/codecs/registry"
)

// refs makes references from "name=subject/version".
func refs(list ...string) (out []reference) {
	for _, s := range list {
		name, at, _ := strings.Cut(s, "=")
		slash := strings.LastIndex(at, "/")
		version, _ := strconv.Atoi(at[slash+1:])
		out = append(out, reference{name, at[:slash], version})
	}
	return out
}

func TestReferences(t *testing.T) {
	f := start(t, &fake{
		ids: map[string]schema{"17": {"order", "PROTOBUF", refs("b=B/2", "c.proto=dir/c.proto/1", "d=D/1")}},
		versions: map[string]schema{
			"B/2":           {"b2", "PROTOBUF", refs("d=D/1")},
			"D/1":           {"d1", "PROTOBUF", nil},
			"dir/c.proto/1": {"c1", "PROTOBUF", refs("d=D/1", "b=B/2")},
		},
	}, nil)
	c := mustNew(t, registry.Options{URLs: []string{f.url}})
	mustGet(t, c, 17, "PROTOBUF order [{d d1} {b b2} {c.proto c1}]")
	mustGet(t, c, 17, "PROTOBUF order [{d d1} {b b2} {c.proto c1}]")
	want := []string{"/schemas/ids/17", "/subjects/B/versions/2?deleted=true", "/subjects/D/versions/1?deleted=true",
		"/subjects/dir%2Fc.proto/versions/1?deleted=true"}
	if got := f.asked(); !reflect.DeepEqual(got, want) {
		t.Errorf("asked for %q", got)
	}
}

// The serializers do the same.
func TestOfTwoVersionsUnderOneNameTheFirstHolds(t *testing.T) {
	f := start(t, &fake{
		ids:      map[string]schema{"17": {"order", "", refs("b=B/1", "d=D/2")}},
		versions: map[string]schema{"B/1": {"b1", "", refs("d=D/1")}, "D/1": {"d1", "", nil}, "D/2": {"d2", "", nil}},
	}, nil)
	mustGet(t, mustNew(t, registry.Options{URLs: []string{f.url}}), 17, "AVRO order [{d d1} {b b1}]")
}

func TestReferencesThatAreWrong(t *testing.T) {
	half := strings.Repeat("x", 6<<20)
	f := start(t, &fake{
		ids: map[string]schema{
			"1": {"x", "", refs("a=A/1")},
			"2": {"x", "", refs("l=L/-1")},
			"3": {half, "", refs("h=H/1", "i=H/1")},
			"4": {"x", "", refs("0=n/1")},
		},
		versions: map[string]schema{
			"A/1": {"a", "", refs("b=B/1")}, "B/1": {"b", "", refs("a=A/1")},
			"H/1": {half, "", nil},
		},
	}, nil)
	for i := 1; i < 1100; i++ {
		f.versions[fmt.Sprintf("n/%d", i)] = schema{"n", "", refs(fmt.Sprintf("%d=n/%d", i, i+1))}
	}
	c := mustNew(t, registry.Options{URLs: []string{f.url}})
	fail(t, c, 1, "schema id 1 from registry main: a refers to itself")
	fail(t, c, 2, `reference "l": version -1 of subject "L" is not a fixed version`)
	fail(t, c, 3, "larger than 16 MiB")
	before := len(f.asked())
	fail(t, c, 4, "more than 1000 schemas")
	if n := len(f.asked()) - before; n != 1000 {
		t.Errorf("%d requests", n)
	}
}

func TestReferencesThatAreMissing(t *testing.T) {
	f := start(t, &fake{
		ids:      map[string]schema{"17": {"x", "", refs("a=A/1")}},
		versions: map[string]schema{"A/1": {"a", "", refs("b=B/3")}},
	}, nil)
	says := `schema id 17 needs version 3 of subject "B", which is not in registry main`
	err := fail(t, mustNew(t, registry.Options{URLs: []string{f.url}}), 17, says, "counting of the source waits", "`missing: malformed`")
	if errors.Is(err, codecs.ErrNoSchema) {
		t.Errorf("%v is final", err)
	}
	err = fail(t, mustNew(t, registry.Options{URLs: []string{f.url}, Missing: registry.Malformed}), 17, says)
	if !errors.Is(err, codecs.ErrNoSchema) {
		t.Errorf("%v is not final", err)
	}
}

func TestReferencesThatCannotBeHadNow(t *testing.T) {
	f := avro()
	f.ids["18"] = schema{"x", "", refs("a=A/1")}
	start(t, f, func(w http.ResponseWriter, r *http.Request) bool {
		return strings.HasPrefix(r.URL.Path, "/subjects/") && status(503, "")(w, r)
	})
	c := mustNew(t, registry.Options{URLs: []string{f.url}, Missing: registry.Malformed})
	if err := fail(t, c, 18, `schema id 18 from registry main: version 1 of subject "A": `+f.url+": 503"); errors.Is(err, codecs.ErrNoSchema) {
		t.Errorf("%v is final", err)
	}
}

// A caller that ends in the middle of many references is not kept.
func TestCancelledAmongReferences(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	f := &fake{ids: map[string]schema{"17": {"x", "", refs("a=A/1", "b=B/1")}}, versions: map[string]schema{"A/1": {"a", "", nil}, "B/1": {"b", "", nil}}}
	start(t, f, func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasPrefix(r.URL.Path, "/subjects/A") {
			cancel()
			<-r.Context().Done()
		}
		return false
	})
	_, err := mustNew(t, registry.Options{URLs: []string{f.url}}).Schema(ctx, 17)
	if !errors.Is(err, context.Canceled) || slices.Contains(f.asked(), "/subjects/B/versions/1?deleted=true") {
		t.Error(err, f.asked())
	}
}
