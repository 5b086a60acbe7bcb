/* One knot of a net of batches: who links it puts names of its own in the place of these two. */
extern int knot_other(int depth);

int knot_mine_(int depth) {
    return depth ? 1 + knot_other(depth - 1) : 0;
}
