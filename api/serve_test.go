package api_test

import (
	"context"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/chaperone-audit/chaperone/api"
)

func TestServeAnswersUntilItIsToldToEnd(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := fake()
	w.block = true // until the timeout of the request
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() {
		served <- w.server(func(o *api.Options) { o.Timeout = 100 * time.Millisecond }).Serve(ctx, l)
	}()
	status := make(chan int, 1)
	go func() {
		resp, err := http.Get("http://" + l.Addr().String() + "/api/v1/topics/orders/windows")
		if err != nil {
			t.Error(err)
			status <- 0
			return
		}
		defer resp.Body.Close()
		status <- resp.StatusCode
	}()
	if got := <-status; got != http.StatusServiceUnavailable {
		t.Errorf("got %d", got)
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", l.Addr().String()); err == nil {
		t.Error("it still listens")
	}
}

func TestServeSaysThatItCannot(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	if err := fake().server().Serve(context.Background(), l); err == nil {
		t.Error("no error")
	}
}
