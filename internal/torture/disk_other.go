//go:build !linux

package torture

import "errors"

// smallDisk is for Linux only.
func smallDisk(string, int64) (func(), error) { return nil, errors.New("only on Linux") }

func free(string) int64 { return 0 }
