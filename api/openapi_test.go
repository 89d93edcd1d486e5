package api_test

import (
	"bytes"
	"context"
	"io"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers/legacy"

	"github.com/chaperone-audit/chaperone/api"
)

func mustDocument(t testing.TB) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(api.OpenAPI)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(context.Background(), openapi3.EnableSchemaFormatValidation()); err != nil {
		t.Fatal(err)
	}
	return doc
}

var pathParameter = regexp.MustCompile(`:(\w+)`)

func TestTheDocumentHasEveryRouteAndNoOther(t *testing.T) {
	var documented []string
	for path, item := range mustDocument(t).Paths.Map() {
		for method := range item.Operations() {
			documented = append(documented, method+" "+path)
		}
	}
	var routes []string
	for _, r := range fake().server().Routes() {
		routes = append(routes, pathParameter.ReplaceAllString(r, "{$1}"))
	}
	slices.Sort(documented)
	slices.Sort(routes)
	if !slices.Equal(documented, routes) {
		t.Errorf("documented\n%s\nserved\n%s", strings.Join(documented, "\n"), strings.Join(routes, "\n"))
	}
}

func TestAnswersAreAsTheDocumentSays(t *testing.T) {
	doc := mustDocument(t)
	router, err := legacy.NewRouter(doc)
	if err != nil {
		t.Fatal(err)
	}
	asked := map[string]bool{}
	for _, c := range answers {
		if c.name == "not-found" || c.name == "method-not-allowed" {
			continue // not of the document, since not of an address
		}
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(c.method, c.target, strings.NewReader(c.body))
			route, params, err := router.FindRoute(r)
			if err != nil {
				t.Fatal(err)
			}
			asked[c.method+" "+route.Path] = true
			rec := ask(fake().server(), c.method, c.target, c.body)
			err = openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
				RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route},
				Status:                 rec.Code,
				Header:                 rec.Header(),
				Body:                   io.NopCloser(bytes.NewReader(rec.Body.Bytes())),
				Options:                &openapi3filter.Options{IncludeResponseStatus: true},
			})
			if err != nil {
				t.Errorf("%v\n%s", err, rec.Body)
			}
		})
	}
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			if op := method + " " + path; !asked[op] && path != "/metrics" && !strings.Contains(path, "openapi") {
				t.Errorf("no answer of %s is looked at", op)
			}
		}
	}
}

func TestTheDocumentIsServedInTwoForms(t *testing.T) {
	s := fake().server()
	inYAML, inJSON := ask(s, "GET", "/api/v1/openapi.yaml", ""), ask(s, "GET", "/api/v1/openapi.json", "")
	if !bytes.Equal(inYAML.Body.Bytes(), api.OpenAPI) || inYAML.Header().Get("Content-Type") != "application/yaml" {
		t.Errorf("got %s", inYAML.Header())
	}
	doc, err := openapi3.NewLoader().LoadFromData(inJSON.Body.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(doc.Paths.InMatchingOrder(), mustDocument(t).Paths.InMatchingOrder()) || inJSON.Header().Get("Content-Type") != "application/json" {
		t.Errorf("got %s, %v", inJSON.Header(), doc.Paths.InMatchingOrder())
	}
}
