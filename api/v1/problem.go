package v1

import "fmt"

// A Problem is an error in the form of RFC 9457. Programs look at Code, people
// at Detail and Try.
type Problem struct {
	Type   string `json:"type"` // urn:chaperone:problem: and the code
	Title  string `json:"title"`
	Status int    `json:"status"` // as the HTTP status
	Detail string `json:"detail"`
	Code   Code   `json:"code"`
	Try    string `json:"try"` // what to do
	// Records are the bad ones of a report, of InvalidRecords only, at most 100.
	Records []BadRecord `json:"records,omitempty"`
}

// A BadRecord is one that cannot be taken.
type BadRecord struct {
	Index  int    `json:"index"` // in the report, from 0
	Reason string `json:"reason"`
}

// A Code says what kind of problem it is; codes do not change.
type Code string

// The codes.
const (
	BadRequest          Code = "bad_request"          // 400: asking again will not help
	TooManyRows         Code = "too_many_rows"        // 400
	Unauthorized        Code = "unauthorized"         // 401: there is a token to be sent
	NotFound            Code = "not_found"            // 404: there is no such address
	MethodNotAllowed    Code = "method_not_allowed"   // 405
	TooLarge            Code = "too_large"            // 413: the body of the request
	UnsupportedEncoding Code = "unsupported_encoding" // 415
	InvalidRecords      Code = "invalid_records"      // 422: of a report; nothing was written
	Internal            Code = "internal"             // 500: a defect
	Unavailable         Code = "unavailable"          // 503: asking again later helps
	Timeout             Code = "timeout"              // 503
)

// TypePrefix begins the Type of all problems.
const TypePrefix = "urn:chaperone:problem:"

// ProblemType is the media type of problems.
const ProblemType = "application/problem+json"

func (p *Problem) Error() string { return fmt.Sprintf("%s: %s", p.Title, p.Detail) }

// Hint says what to do.
func (p *Problem) Hint() string { return p.Try }
