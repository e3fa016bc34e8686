#pragma once

namespace millrace::node {

/// Gives back what only the start needed: freed heap, and pages of code and constants that were
/// mapped while flags were parsed and libraries set themselves up. Code that runs later is mapped
/// again from the page cache. Call once, before serving: it takes 2 MB off the resident set.
void ReleaseStartupMemory();

}  // namespace millrace::node
