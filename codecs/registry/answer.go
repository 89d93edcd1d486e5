package registry

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"

	"github.com/twmb/franz-go/pkg/sr"
)

// errMissing says that a registry does not have what it was asked for.
var errMissing = errors.New("not in the registry")

// maxBody bounds an answer: a schema of the maximum size hardly fits, which is
// near enough.
const maxBody = maxText

// explain gives the error of a request in a form that is fit to be shown. What the
// server wrote is left out: it may be a whole page, and it may repeat what it was
// sent, password and all.
func explain(err error) error {
	var answer *sr.ResponseError
	var large *http.MaxBytesError
	var timeout net.Error
	var request *url.Error
	switch {
	case errors.As(err, &answer):
		return explainStatus(answer)
	case errors.As(err, &large):
		return fmt.Errorf("the answer is larger than %d MiB", large.Limit>>20)
	case errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Errorf("no answer in time: %w", unwrap(err, &request))
	case errors.As(err, &request):
		return request.Err
	}
	return fmt.Errorf("the answer is not that of a schema registry: %w", unwrap(err, &request))
}

// unwrap takes off what says again which URL was asked.
func unwrap(err error, request **url.Error) error {
	if errors.As(err, request) {
		return (*request).Err
	}
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	return err
}

// explainStatus tells a registry that lacks a schema from all else that answers
// 404: a proxy that does not know the way, which has no error code, and a registry
// whose URL has a path too many, which says 404 there as well.
func explainStatus(answer *sr.ResponseError) error {
	status, code := answer.StatusCode, answer.ErrorCode
	switch {
	case status == http.StatusNotFound && sr.IsNotFoundError(code):
		return errMissing
	case status == http.StatusNotFound:
		return errors.New("404 Not Found, but not from a schema registry that looked for the schema: is the path of the URL right?")
	case status < http.StatusBadRequest:
		return fmt.Errorf("%d %s: redirects are not followed", status, http.StatusText(status))
	case sr.IsServerError(code):
		return fmt.Errorf("%d %s: %s (%d)", status, http.StatusText(status), sr.ErrorForCode(code).Description, code)
	}
	return fmt.Errorf("%d %s", status, http.StatusText(status))
}

// A limited transport ends answers that are too large: sr reads whatever comes.
type limited struct{ http.RoundTripper }

func (l limited) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := l.RoundTripper.RoundTrip(r)
	if err == nil {
		answer.Body = http.MaxBytesReader(nil, answer.Body, maxBody)
	}
	return answer, err
}
