/*-------------------------------------------------------------------------
 *
 * chance.c
 *	  How likely is it that it is a coincidence?
 *
 * Order has two measures.  Steps: of the permutations of n, those with k
 * descents are counted by the Eulerian numbers.  Pairs: those with k
 * inversions by the Mahonian numbers.  Steps see a sequence with a few jumps,
 * pairs one that is jumbled in small neighbourhoods, as when statements that
 * were sent at once arrive in any order.
 *
 * Both are computed as shares, so that nothing overflows.
 *
 *-------------------------------------------------------------------------
 */
#include "compat.h"

#include "collect/chance.h"

#define PGV_MAX_PAIRS (PGV_CHANCE_MAX * (PGV_CHANCE_MAX - 1) / 2)

int
pgv_steps_up(const int *numbers, int n)
{
	int			up = 0;

	for (int i = 1; i < n; i++)
		up += (numbers[i] > numbers[i - 1]);
	return up;
}

/*
 * The share of the permutations of n with at most k descents.  One more
 * number, put into a permutation of m - 1 with d descents, leaves them d in
 * d + 1 of m places.
 */
static double
share_of_descents(int n, int k)
{
	double		share[PGV_CHANCE_MAX] = {1.0};
	double		sum = 0;

	for (int m = 2; m <= n; m++)
	{
		for (int d = m - 1; d >= 0; d--)
			share[d] = (share[d] * (d + 1) + (d > 0 ? share[d - 1] * (m - d) : 0)) / m;
	}
	for (int d = 0; d <= k && d < n; d++)
		sum += share[d];
	return sum;
}

/*
 * The share of those with at most k inversions.  The m-th number adds 0 to
 * m - 1 of them, each as often.
 */
static double
share_of_inversions(int n, int k)
{
	double		share[PGV_MAX_PAIRS + 1] = {1.0};
	double		before[PGV_MAX_PAIRS + 1];
	double		sum = 0;

	for (int m = 2; m <= n; m++)
	{
		double		window = 0;

		memcpy(before, share, sizeof(before));
		for (int i = 0; i <= k; i++)
		{
			window += before[i];
			if (i >= m)
				window -= before[i - m];
			share[i] = Max(window, 0) / m;
		}
	}
	for (int i = 0; i <= k; i++)
		sum += share[i];
	return sum;
}

double
pgv_chance_ordered(const int *numbers, int n)
{
	int			inversions = 0;
	double		by_steps;
	double		by_pairs;

	n = Min(n, PGV_CHANCE_MAX);
	if (n < 2)
		return 1.0;
	for (int i = 0; i < n; i++)
	{
		for (int j = i + 1; j < n; j++)
			inversions += (numbers[j] < numbers[i]);
	}
	by_steps = share_of_descents(n, n - 1 - pgv_steps_up(numbers, n));
	by_pairs = share_of_inversions(n, inversions);
	/* the better of two tries is twice as likely */
	return Min(2 * Min(by_steps, by_pairs), 1.0);
}

double
pgv_chance_choices(int n, int k)
{
	double		ways = 1;

	for (int i = 1; i <= k; i++)
		ways = ways * (n - k + i) / i;
	return ways;
}
