package alipay

import (
	"fmt"
	"strconv"
	"strings"

	"certsaas/core/payment"
)

// Yuan writes fen as Alipay wants them: "188.00".
func Yuan(fen int64) string { return fmt.Sprintf("%d.%02d", fen/100, fen%100) }

// Fen reads a decimal amount of yuan: "188", "188.5", "188.00". More than two
// decimals, signs, exponents and spaces are refused (domain §3).
func Fen(yuan string) (int64, error) {
	whole, part, dot := strings.Cut(yuan, ".")
	bad := fmt.Errorf("%w: amount %q", payment.ErrMalformed, yuan)
	if !digits(whole) || len(whole) > 12 || (dot && (!digits(part) || len(part) > 2)) {
		return 0, bad
	}
	n, err := strconv.ParseInt(whole+(part + "00")[:2], 10, 64)
	if err != nil {
		return 0, bad
	}
	return n, nil
}

func digits(s string) bool {
	for _, c := range s {
		if c < '0' || c > '9' {
			return false
		}
	}
	return s != ""
}
