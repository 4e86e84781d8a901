// lookup.go: one lookup by Go's own resolver, which reads /etc/resolv.conf: for the addresses of a host, or for records
// of a type, with the library's own times. Run with GODEBUG=netdns=go.
//
// usage: lookup host NAME | lookup MX|TXT NAME
// Says what lookup.c says.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"
)

func lookUp(kind, name string) (found []string, err error) {
	resolver := &net.Resolver{PreferGo: true}
	switch kind {
	case "MX":
		records, err := resolver.LookupMX(context.Background(), name)
		for _, record := range records {
			found = append(found, record.Host)
		}
		return found, err
	case "TXT":
		texts, err := resolver.LookupTXT(context.Background(), name)
		for _, text := range texts {
			found = append(found, fmt.Sprint(len(text)))
		}
		return found, err
	default:
		return resolver.LookupHost(context.Background(), name)
	}
}

func word(err error) string {
	var failure *net.DNSError
	switch {
	case err == nil:
		return "found"
	case errors.As(err, &failure) && failure.IsNotFound:
		return "absent"
	case errors.As(err, &failure) && (failure.IsTemporary || failure.IsTimeout):
		return "temporary"
	default:
		return "error"
	}
}

func main() {
	began := time.Now()
	found, err := lookUp(os.Args[1], os.Args[2]+".")
	fmt.Printf("%.3f %s", time.Since(began).Seconds(), word(err))
	for _, text := range found {
		fmt.Printf(" %s", text)
	}
	fmt.Println()
}
