#pragma once

// @returns whether large blocks now go back to the system when they are freed
int heap_return_large_blocks(void);
