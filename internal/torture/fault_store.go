package torture

import (
	"context"
	"time"
)

var storeFaults = []*Fault{
	{Name: "clickhouse-away", What: "ClickHouse is killed, and comes back after a while", lane: store, least: 5 * time.Second, share: 0.15, needs: anywhere, inject: clickhouseAway},
	{Name: "disk-full", What: "the disk of ClickHouse is full for a while", lane: store, least: 5 * time.Second, share: 0.1, needs: needsDisk, inject: diskFull},
}

func clickhouseAway(i *injection) error {
	i.w.say("ClickHouse is killed for %s", i.hold.Round(time.Millisecond))
	if err := i.w.engine.kill(); err != nil {
		return err
	}
	i.wait(i.hold)
	return i.w.engine.start(i.ctx)
}

func needsDisk(w *world) string {
	if w.engine.disk == "" {
		return "a small disk takes root on Linux"
	}
	return ""
}

func diskFull(i *injection) error {
	// A merge that meets a full disk leaves a part that cannot be read (libchdb 26.7:
	// "Empty marks file"), which is the engine's to mend. Inserts must survive.
	if err := i.w.engine.do(i.ctx, "SYSTEM STOP MERGES"); err != nil {
		return err
	}
	defer func() { _ = i.w.engine.do(context.WithoutCancel(i.ctx), "SYSTEM START MERGES") }()
	i.w.say("the disk of ClickHouse is full for %s", i.hold.Round(time.Millisecond))
	free, err := i.w.engine.fillDisk()
	if err != nil {
		return err
	}
	i.wait(i.hold)
	return free()
}
