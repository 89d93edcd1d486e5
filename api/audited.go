package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	v1 "github.com/chaperone-audit/chaperone/api/v1"
	"github.com/chaperone-audit/chaperone/query"
)

// audited lists the topics that are counted, have been of late, or were added.
func (s *Server) audited(c echo.Context) error {
	p := params{values: c.QueryParams()}
	if err := p.err(); err != nil {
		return err
	}
	names := map[string]bool{}
	if s.o.Audited != nil {
		for _, name := range s.o.Audited.Topics() {
			names[name] = true
		}
	}
	if s.o.Sources != nil {
		sources, err := s.o.Sources.Progress(c.Request().Context(), "")
		if err != nil {
			return err
		}
		for i := range sources {
			names[sources[i].Source.Topic] = true
		}
	}
	now := s.o.Now()
	topics, err := s.o.Query.Topics(c.Request().Context(), now.Add(-defaultSpan).Unix(), now.Unix())
	if err != nil {
		return err
	}
	for _, t := range topics {
		names[t.Name] = true
	}
	return c.JSON(http.StatusOK, v1.Audited{Topics: notNil(slices.Sorted(maps.Keys(names)))})
}

var errNotHere = fmt.Errorf("topics cannot be added at this instance: %w", query.ErrUnavailable)

// addTopic adds to the audited topics. The body is read as JSON whatever its
// declared type: `curl -d`, which the original's quick start used, says that it
// is a form.
func (s *Server) addTopic(c echo.Context) error {
	topic, err := topicToAdd(c.Request())
	if err != nil {
		return err
	}
	if s.o.Audited == nil {
		return errNotHere
	}
	ctx := c.Request().Context()
	answer := v1.Added{Topic: topic, New: !slices.Contains(s.o.Audited.Topics(), topic)}
	if answer.New {
		if err := s.o.Audited.AddTopic(ctx, topic); err != nil {
			return fmt.Errorf("add topic %s: %w: %w", topic, err, query.ErrUnavailable)
		}
	}
	clusters, err := s.having(ctx, topic)
	answer.Clusters = notNil(clusters)
	switch {
	case err != nil:
		s.o.Log.Warn("who has a topic that was added is not known", "topic", topic, "err", err)
		answer.Message = "Added. Which clusters have the topic is not known at the moment; where it exists it is counted."
	case len(clusters) == 0:
		answer.Message = "Added. No cluster is known to have the topic yet; it is counted as soon as it is found."
	default:
		answer.Message = "Added. It is counted on " + strings.Join(clusters, ", ") + "."
	}
	status := http.StatusCreated
	if !answer.New {
		status = http.StatusOK
	}
	return c.JSON(status, answer)
}

// having names the clusters that have a topic.
func (s *Server) having(ctx context.Context, topic string) ([]string, error) {
	if s.o.Clusters != nil {
		return s.o.Clusters(ctx, topic)
	}
	sources, err := s.progress(ctx, topic)
	if err != nil {
		return nil, err
	}
	var clusters []string
	for i := range sources {
		clusters = append(clusters, sources[i].Source.Cluster)
	}
	slices.Sort(clusters)
	return slices.Compact(clusters), nil
}

// topicToAdd reads {"topic": name, "numPartitions": n}. The number, which the
// original wanted, is checked and not used: partitions are found by asking Kafka.
func topicToAdd(r *http.Request) (string, error) {
	var body struct {
		Topic         string          `json:"topic"`
		NumPartitions json.RawMessage `json:"numPartitions"`
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	err := d.Decode(&body)
	if err == nil && d.More() {
		err = errors.New("there is something behind the object")
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return "", err
	}
	const want = `want {"topic": "NAME"}`
	if err != nil {
		return "", problemf(v1.BadRequest, "The body is not understood: %v; %s.", err, want)
	}
	if err := checkTopic(body.Topic); err != nil {
		return "", problemf(v1.BadRequest, "%s; %s.", upperFirst(err.Error()), want)
	}
	if len(body.NumPartitions) == 0 || string(body.NumPartitions) == "null" {
		return body.Topic, nil
	}
	var n int32
	number := strings.Trim(string(body.NumPartitions), `"`)
	if json.Unmarshal([]byte(number), &n) != nil || n < 1 {
		return "", problemf(v1.BadRequest, "numPartitions is %s and must be a number from 1 up, or left out.", body.NumPartitions)
	}
	return body.Topic, nil
}
