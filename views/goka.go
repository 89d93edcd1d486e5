package views

import (
	"fmt"
	"log/slog"
)

// bytesCodec hands values on as they are. Nothing is read through the view.
type bytesCodec struct{}

func (bytesCodec) Encode(v any) ([]byte, error) { return v.([]byte), nil }
func (bytesCodec) Decode(b []byte) (any, error) { return b, nil }

// gokaLog sends goka's chatter to our log, as debug messages.
type gokaLog struct{ l *slog.Logger }

func (g gokaLog) Print(a ...any)            { g.l.Debug(fmt.Sprint(a...)) }
func (g gokaLog) Println(a ...any)          { g.l.Debug(fmt.Sprintln(a...)) }
func (g gokaLog) Printf(f string, a ...any) { g.l.Debug(fmt.Sprintf(f, a...)) }
