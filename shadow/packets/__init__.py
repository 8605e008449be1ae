"""Malformed packets for a target that can take them: made with scapy, in a process of their own."""
