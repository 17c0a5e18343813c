// SPDX-License-Identifier: ISC
//
// net-smtp.go - submit a message by Go's net/smtp, which uses STARTTLS if that
// is offered.

package main

import (
	"log"
	"net/smtp"
	"os"
)

func main() {
	message, err := os.ReadFile(os.Getenv("MAIL") + "/message")
	if err != nil {
		log.Fatal(err)
	}
	recipients := []string{os.Getenv("TO"), os.Getenv("CC"),
		os.Getenv("BCC")}
	err = smtp.SendMail("localhost:"+os.Getenv("PORT"), nil,
		os.Getenv("FROM"), recipients, message)
	if err != nil {
		log.Fatal(err)
	}
}
