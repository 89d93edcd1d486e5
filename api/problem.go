package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	v1 "github.com/chaperone-audit/chaperone/api/v1"
	"github.com/chaperone-audit/chaperone/query"
)

// problem answers with an error. All errors of handlers come through here.
func (s *Server) problem(err error, c echo.Context) {
	if c.Response().Committed {
		return // too late to say it
	}
	p := problemOf(err)
	if p.Status >= http.StatusInternalServerError {
		level := slog.LevelError
		if p.Status == http.StatusServiceUnavailable {
			level = slog.LevelWarn // what is away says so itself
		}
		s.o.Log.Log(c.Request().Context(), level, "a request failed", "method", c.Request().Method, "path", c.Request().URL.Path, "err", err)
	}
	switch p.Code {
	case v1.Unavailable, v1.Timeout:
		c.Response().Header().Set(echo.HeaderRetryAfter, "5")
	case v1.Unauthorized:
		c.Response().Header().Set(echo.HeaderWWWAuthenticate, `Bearer realm="chaperone"`)
	case v1.UnsupportedEncoding:
		c.Response().Header().Set(echo.HeaderAcceptEncoding, "gzip")
	}
	c.Response().Header().Set(echo.HeaderContentType, v1.ProblemType)
	if err := c.JSON(p.Status, p); err != nil {
		s.o.Log.Debug("answer not sent", "err", err)
	}
}

// titles, statuses and advice by code.
var kinds = map[v1.Code]struct {
	status     int
	title, try string
}{
	v1.BadRequest:          {http.StatusBadRequest, "The request is not understood", "Correct it; /api/v1/openapi.yaml says what can be asked."},
	v1.TooManyRows:         {http.StatusBadRequest, "The answer would be too long", "Ask for a shorter time, or for one tier, datacenter, cluster or partition, or tell fewer things apart."},
	v1.Unauthorized:        {http.StatusUnauthorized, "This needs a token", "Send it as Authorization: Bearer TOKEN; http.token of the configuration has it."},
	v1.NotFound:            {http.StatusNotFound, "There is nothing at this address", "See / for what there is."},
	v1.MethodNotAllowed:    {http.StatusMethodNotAllowed, "This address does not take the method", "The header Allow says which it takes."},
	v1.TooLarge:            {http.StatusRequestEntityTooLarge, "The request is too large", "Send less at a time."},
	v1.UnsupportedEncoding: {http.StatusUnsupportedMediaType, "The body is encoded in a way that is not known", "Send it with gzip, or as it is."},
	v1.InvalidRecords:      {http.StatusUnprocessableEntity, "Records cannot be taken", "Correct those that records names, or leave them out, and send the others again; docs/clients.md explains them."},
	v1.Internal:            {http.StatusInternalServerError, "Something went wrong inside", "The log of this instance has the cause; please report it."},
	v1.Unavailable:         {http.StatusServiceUnavailable, "This cannot be answered at the moment", "Ask again in a few seconds; /health says what is amiss."},
	v1.Timeout:             {http.StatusServiceUnavailable, "The answer took too long", "Ask again, or for a shorter time; /health says what is amiss."},
}

func problemf(code v1.Code, format string, args ...any) *v1.Problem {
	k := kinds[code]
	return &v1.Problem{Type: v1.TypePrefix + string(code), Title: k.title, Status: k.status,
		Detail: fmt.Sprintf(format, args...), Code: code, Try: k.try}
}

func problemOf(err error) *v1.Problem {
	if p, ok := errors.AsType[*v1.Problem](err); ok {
		return p
	}
	if e, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return problemf(v1.TooLarge, "The body has more than %d bytes.", e.Limit)
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return problemf(v1.Timeout, "It was given up after the time that a request may take.")
	case errors.Is(err, query.ErrUnavailable):
		return problemf(v1.Unavailable, "%s.", upperFirst(err.Error()))
	}
	if e, ok := errors.AsType[*echo.HTTPError](err); ok {
		switch e.Code {
		case http.StatusNotFound:
			return problemf(v1.NotFound, "There is no such address.")
		case http.StatusMethodNotAllowed:
			return problemf(v1.MethodNotAllowed, "There is such an address, for another method.")
		}
	}
	// The cause is for the log: it may tell what is nobody's business.
	return problemf(v1.Internal, "An unexpected error; it is in the log.")
}

func upperFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
