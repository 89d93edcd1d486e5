package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	v1 "github.com/chaperone-audit/chaperone/api/v1"
	"github.com/chaperone-audit/chaperone/audit"
	"github.com/chaperone-audit/chaperone/query"
)

// reportPath is where applications report what they count.
const reportPath = "/api/v1/audit"

// mostReported bounds the records of a report, and mostNamed how many bad ones are named.
const (
	mostReported = 10_000
	mostNamed    = 100
)

var errNoInbox = fmt.Errorf("records are not taken at this instance: %w", query.ErrUnavailable)

// report takes records of applications, all or none. It answers when they are
// acknowledged: who hears nothing, or of an error, reports them again.
func (s *Server) report(c echo.Context) error {
	begin := time.Now()
	n, err := s.take(c.Request())
	if err != nil {
		s.metrics.refused(err)
		return err
	}
	s.metrics.accepted(n, time.Since(begin))
	return c.JSON(http.StatusOK, v1.Accepted{Accepted: n})
}

func (s *Server) take(r *http.Request) (n int, err error) {
	if err := s.mayReport(r); err != nil {
		return 0, err
	}
	if s.o.Inbox == nil {
		return 0, errNoInbox
	}
	body, err := s.openBody(r)
	if err != nil {
		return 0, err
	}
	defer body.release()
	var records []*audit.Record
	var bad []v1.BadRecord
	wrong := 0
	err = eachJSON(r.Context(), body, func(raw []byte) error {
		if n++; n > mostReported {
			return problemf(v1.TooLarge, "There are more than %d records.", mostReported)
		}
		record, why := application(raw, s.o.KafkaTiers)
		switch {
		case why == "" && wrong == 0:
			records = append(records, record)
		case why != "":
			records = nil // none will be written
			if wrong++; wrong <= mostNamed {
				bad = append(bad, v1.BadRecord{Index: n - 1, Reason: why})
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	if wrong > 0 {
		p := problemf(v1.InvalidRecords, "Of %d records %d cannot be taken, so none has been.", n, wrong)
		p.Records = bad
		return 0, p
	}
	if n == 0 {
		return 0, nil
	}
	if err := s.o.Inbox.Report(r.Context(), records); err != nil {
		return 0, fmt.Errorf("%w: %w", err, query.ErrUnavailable)
	}
	return n, nil
}

// mayReport asks for the token, if there is one. Hashes are compared, so that the time it
// takes tells nothing of the token, not even its length.
func (s *Server) mayReport(r *http.Request) error {
	if s.o.Token == "" {
		return nil
	}
	scheme, token, _ := strings.Cut(r.Header.Get(echo.HeaderAuthorization), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return problemf(v1.Unauthorized, "There is no bearer token.")
	}
	got, want := sha256.Sum256([]byte(strings.TrimSpace(token))), sha256.Sum256([]byte(s.o.Token))
	if subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
		return problemf(v1.Unauthorized, "The bearer token is not the right one.")
	}
	return nil
}
