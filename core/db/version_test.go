package db

import "testing"

// TestServerVersion is T9.
func TestServerVersion(t *testing.T) {
	t.Parallel()
	for num, ok := range map[int]bool{
		140019: false, 150013: false, 150014: true, 150018: true, 160009: false, 160010: true, 170005: false, 170006: true, 180000: true,
	} {
		if err := checkServerVersion(num); (err == nil) != ok {
			t.Errorf("%d: %v, want ok=%t", num, err, ok)
		}
	}
}
