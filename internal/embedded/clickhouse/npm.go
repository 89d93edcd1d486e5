package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// npmPack downloads the package with the npm client, which knows the user's
// registry and proxy and compares the registry's own checksum.
func npmPack(ctx context.Context, dir string) (string, error) {
	npm, err := exec.LookPath("npm")
	if err != nil {
		return "", fmt.Errorf("the npm client is not here: install npm (Node.js); or unpack libchdb.so from the npm package %s on another machine and set %s to its path; or %s",
			libraryPackage, LibraryEnv, remedy)
	}
	// Its cache is in the same folder, so that the download can be watched, and
	// goes with the folder.
	cmd := exec.CommandContext(ctx, npm, "pack", libraryPackage,
		"--pack-destination", dir, "--cache", filepath.Join(dir, "npm-cache"), "--ignore-scripts", "--loglevel", "error", "--no-update-notifier", "--no-fund")
	cmd.Dir = dir
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err != nil {
		return "", fmt.Errorf("npm pack %s: %w: %s; when npm cannot reach its registry, unpack libchdb.so from that package on another machine and set %s to its path; or %s",
			libraryPackage, err, firstLines(string(out)), LibraryEnv, remedy)
	}
	found, _ := filepath.Glob(filepath.Join(dir, "*.tgz"))
	if len(found) != 1 {
		return "", fmt.Errorf("npm pack %s: it ended well and left %d packages", libraryPackage, len(found))
	}
	return found[0], nil
}

// firstLines is enough of what npm says for people.
func firstLines(s string) string {
	s = strings.TrimSpace(s)
	if len(s) > 400 {
		s = s[:400] + "..."
	}
	return strings.Join(strings.Fields(s), " ")
}

// download runs pack and says meanwhile how far it is. npm gives no progress of
// its own to a program, so the largest file in its folder is measured.
func (f *fetcher) download(ctx context.Context, dir string) (string, error) {
	type packed struct {
		tarball string
		err     error
	}
	done := make(chan packed, 1)
	fmt.Fprintf(f.progress, "ClickHouse engine: fetching %s once, %s, into %s\n", libraryPackage, megabytes(int64(downloadSize)), f.cache)
	go func() {
		tarball, err := f.pack(ctx, dir)
		done <- packed{tarball, err}
	}()
	ticks := time.NewTicker(f.every)
	defer ticks.Stop()
	for {
		select {
		case p := <-done:
			return p.tarball, p.err
		case <-ticks.C:
			fmt.Fprintf(f.progress, "ClickHouse engine: fetched %s of %s\n", megabytes(largest(dir)), megabytes(int64(downloadSize)))
		}
	}
}

// largest is the size of the largest file below a folder.
func largest(dir string) (size int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, os.ErrNotExist) { // renamed meanwhile
				return nil
			}
			return err
		}
		if info, err := d.Info(); err == nil && info.Mode().IsRegular() {
			size = max(size, info.Size())
		}
		return nil
	})
	return size
}
