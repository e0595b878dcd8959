package program

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// PID is the process id of the running program.
func (p *Program) PID() int { return p.cmd.Process.Pid }

// PeakMemory is the most memory the program had resident so far, in bytes (VmHWM of proc(5)).
func (p *Program) PeakMemory() (int64, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID()))
	if err != nil {
		return 0, fmt.Errorf("program: %w", err)
	}
	for _, line := range strings.Split(string(raw), "\n") {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("program: no VmHWM")
}
