package api

import (
	_ "embed"
	"fmt"
	"net/http"

	"github.com/goccy/go-yaml"
	"github.com/labstack/echo/v4"

	v1 "github.com/chaperone-audit/chaperone/api/v1"
	"github.com/chaperone-audit/chaperone/internal/health"
	"github.com/chaperone-audit/chaperone/query"
)

func (s *Server) index(c echo.Context) error {
	links := map[string]string{
		"topics": "/api/v1/topics", "windows": "/api/v1/topics/{topic}/windows", "sources": "/api/v1/sources", "instances": "/api/v1/instances", "missed": "/api/v1/missed", "alerts": "/api/v1/alerts", "audit": reportPath,
		"completeness": completenessPath, "verdicts": "/api/v1/verdicts", "verdicts of a topic": "/api/v1/topics/{topic}/verdicts", "why": "/api/v1/topics/{topic}/why", "records": "/api/v1/topics/{topic}/records",
		"gobblin": "/gobblin/audit", "uReplicator": "/chaperone3/rawmetrics",
		"openapi": "/api/v1/openapi.yaml", "audited": "/topics", "health": "/health", "ready": "/ready",
	}
	if s.o.Metrics != nil {
		links["metrics"] = "/metrics"
	}
	return c.JSONPretty(http.StatusOK, v1.Index{Name: "chaperone", Version: s.o.Version, Links: links}, "  ")
}

// health answers 503 if any part is down, for those who look at the status only.
func (s *Server) health(c echo.Context) error {
	reports, worst := s.o.Health.Reports()
	answer := v1.Health{Status: string(worst), Parts: make([]v1.HealthPart, len(reports))}
	for i, r := range reports {
		answer.Parts[i] = v1.HealthPart{Part: r.Part, State: string(r.State), Reason: r.Reason, Since: r.Since.UTC()}
	}
	status := http.StatusOK
	if worst == health.Down {
		status = http.StatusServiceUnavailable
	}
	return c.JSONPretty(status, answer, "  ")
}

// ready answers 503 until questions can be answered. It does not ask how the
// parts are: a store that is away must not take REST out of a load balancer.
func (s *Server) ready(c echo.Context) error {
	if s.o.Ready != nil {
		if err := s.o.Ready(); err != nil {
			return fmt.Errorf("%w: %w", err, query.ErrUnavailable)
		}
	}
	return c.JSON(http.StatusOK, v1.Ready{Ready: true})
}

// OpenAPI is the description of everything here, in YAML.
//
//go:embed openapi.yaml
var OpenAPI []byte

func openAPIJSON() []byte {
	b, err := yaml.YAMLToJSON(OpenAPI)
	if err != nil {
		panic(fmt.Sprintf("openapi.yaml: %v", err)) // a test reads it
	}
	return b
}

func (s *Server) openAPI(mime string, document []byte) echo.HandlerFunc {
	return func(c echo.Context) error { return c.Blob(http.StatusOK, mime, document) }
}
